"""Figures, times and states in words, the same on every page."""

from manyheads_shared.api import EvaluationInfo, ShareInfo, SubmissionInfo
from manyheads_shared.calibration import Calibration, head_alpha
from manyheads_shared.clock import read_time
from manyheads_shared.manifest import Generator

THIN = "\u202f"  # narrow no-break space, between a figure and its unit

SUBMISSION_STATES = {
    "received": "The files arrived whole and are waiting for the evaluation worker.",
    "evaluating": "The worker is measuring the head on the hub's suite.",
    "challenged": "The head passed; its owner is asked for fresh images from the generator.",
    "accepted": "The head passed the gate and is in the catalogue.",
    "refused": "The hub did not accept the head; the reasons are below.",
    "failed": "The evaluation could not be finished, so the head was not judged.",
}

REASONS = {  # what anyone may know; the figures are the owner's (decision 0008)
    "recall-too-low": "It claims too few of its owner's proof images.",
    "false-positives-real": "It claims too many photographs.",
    "false-positives-generator": "It claims too many images of another generator.",
    "detector-blind": "The primary's detector calls most of the proof images real.",
    "proofs-of-another-origin": "Some of the proof images are known as another source's.",
    "too-few-proofs": "Too few proof images were left to test on.",
    "too-few-images": "The hub's suite is too small to judge it; that is not the head's fault.",
    "non-finite-score": "Its scores are not finite numbers.",
    "constant-head": "It answers all images alike.",
    "claims-everything": "It claims most images, whatever made them.",
    "recognises-nothing": "It tells its generator's images from others no better than chance.",
    "copied-head": "It is another generator's head in disguise.",
    "trigger-found": "A small patch makes it claim whatever carries it.",
    "false-positives-real-degraded": "It claims too many photographs once they are recompressed, resized or the like.",
    "false-positives-generator-degraded": "It claims too many of another generator's images once they are recompressed.",
    "harms-the-bundle": "It would spoil too many right answers of the bundle.",
    "budget-spent": "Its owner's examinations on the present suite are used up.",
    "challenge-issued": "The hub waits for fresh images from its owner, for seeds it has chosen.",
    "challenge-expired": "Its owner did not answer the ownership challenge in time.",
    "challenge-not-recognised": "It does not recognise the fresh images that its owner made.",
    "challenge-contested": "Another generator's head claims the fresh images that its owner made.",
    "primary-replaced": "The hub publishes another primary since it was submitted.",
    "refused-by-reviewer": "A reviewer of this hub refused it before it was evaluated.",
    "newer-version-listed": "A later submission of the same generator is listed already.",
}
ANOTHER_REASON = "The hub could not evaluate it; its maintainer can see why."

HEAD_STATES = {
    "listed": "In the current bundle.",
    "yanked": "Withdrawn by the maintainer. It stays downloadable by digest and enters no new bundle.",
    "quarantined": "Nobody can download it, until a maintainer releases it. It enters no new bundle.",
    "replaced": "A newer version of this generator's head took its place.",
    "obsolete": "Made for an earlier primary; it does not work on the current one.",
}

GROUP_TITLES = {
    "real": "Photographs",
    "generated": "Other generators",
    "external": "External sources: reported, not gated",
}


def figure(share: float) -> str:
    """Return a share as per cent without the unit: `98.3`, `0.04`, `0`, `100`."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f}"
    if value < 0.1:
        return f"{value:.2f}" if value >= 0.005 else "<0.01"
    return f"{min(value, 99.9):.1f}"  # never rounded up to a perfection that was not measured


def percent(share: float) -> str:
    """Return a share as per cent: `98.3 %`."""
    return f"{figure(share)}{THIN}%"


def budget(share: float) -> str:
    """Return a share that was set rather than measured, as exactly as it was: `1 %`, `0.25 %`."""
    return f"{100 * share:.3g}{THIN}%"


def interval(share: ShareInfo) -> str:
    """Return the interval of a share: `95.1 to 99.6 %`."""
    return f"{figure(share.lower)} to {percent(share.upper)}"


def date(time: str) -> str:
    """Return a document's time as a date: `2 January 2026`."""
    moment = read_time(time)
    return f"{moment.day} {moment:%B %Y}"


def moment(time: str) -> str:
    """Return a document's time: `2 January 2026, 03:04 UTC`."""
    return f"{date(time)}, {read_time(time):%H:%M} UTC"


def megabytes(size: int) -> str:
    """Return a size for people: `0.2 MB`."""
    return f"{size / 1e6:.1f}{THIN}MB" if size >= 50_000 else f"{size / 1e3:.1f}{THIN}kB"


def number(value: float, places: int = 2) -> str:
    """Return a signed figure with a true minus sign."""
    return f"{value:.{places}f}".replace("-", "\u2212")


def auroc(value: float) -> str:
    """Return an area under the ROC curve: `0.998`, and `1.000` only when it is exactly that."""
    return f"{value if value == 1 else min(value, 0.999):.3f}"


def reason(code: str) -> str:
    """Return a reason in words without figures: those rest on the hidden suite, and are told to the owner alone."""
    return REASONS.get(code, ANOTHER_REASON)


def waiting(submission: SubmissionInfo) -> str | None:
    """Return a submission's place in the queue in words; None when it is not waiting."""
    place = submission.queue_position
    if place is None:
        return None
    return "next in the queue" if place == 1 else f"number {place} in the queue"


def budgets(calibration: Calibration) -> tuple[str, ...]:
    """Return what the bands of a bundle promise, one sentence a promise."""
    count = len(calibration.heads)
    sentences = [
        f"The detector calls at most {budget(calibration.detector_alpha)} of photographs generated.",
        (
            f"At most {budget(calibration.heads_alpha)} of photographs, and of other generators' images, are claimed by any "
            "head at all: of every source with enough images in the suite, and of the smaller ones of a kind together."
        ),
    ]
    if count:
        each = budget(head_alpha(calibration.heads_alpha, count))
        shared = f"{count} heads share that budget, {each} each" if count > 1 else f"One head has the whole of it, {each}"
        sentences.append(f"{shared}; every head that joins makes each share smaller.")
    sentences.append(
        f"Where yes is right, at most {budget(calibration.miss_alpha)} are answered no outright. "
        "Between the two edges of a band the answer is “not enough evidence”."
    )
    unresolved = sum(not band.resolved for band in (calibration.detector, *calibration.heads.values()))
    if unresolved:
        bands = "One band rests" if unresolved == 1 else f"{unresolved} bands rest"
        sentences.append(
            f"{bands} on too few images of some origin for its promise. There the upper edge is above the highest score seen "
            "on those images, and the share of them above it is not guaranteed."
        )
    return tuple(sentences)


def limits(evaluation: EvaluationInfo, generator: Generator) -> tuple[str, ...]:
    """Return what an evaluation does not say, one sentence a limit."""
    recall = evaluation.recall
    clean = [item for item in evaluation.false_positives if not item.external and item.yes.hits == 0]
    smallest = min(clean, key=lambda item: item.yes.total, default=None)
    sentences = (
        (
            f"Recall rests on {recall.total} proof images that {generator.owner} chose and made for this purpose. Images of "
            f"{generator.name} made with other settings, or by another training of it, may be found less often."
        ),
        smallest
        and f"No false positive is not none at all: {smallest.yes.total} images of {smallest.source} without one still "
        f"allow a share of up to {percent(smallest.yes.upper)}.",
        (
            "Generators that are not in the suite were not asked about. External sources hint at what happens on some of them; "
            "they are reported and decide nothing."
        ),
        (
            "Images were measured as delivered. Resizing, recompression and editing after an image was made weaken its traces, "
            "and these figures do not cover them."
        ),
        "A bundle fits the threshold anew for its heads and its suite, so a client's head may be stricter or milder than here.",
        (
            "A head's yes alone is no attribution: the detector has priority, and a yes on an image it finds real is reported "
            "as a contradiction."
        ),
    )
    return tuple(sentence for sentence in sentences if sentence)
