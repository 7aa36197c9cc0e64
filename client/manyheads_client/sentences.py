"""The sentences of a report, the same in every rendering of it: plain text, for whoever renders it to escape and lay out."""

from collections.abc import Iterator
from dataclasses import dataclass

from manyheads_client.sealing import Source
from manyheads_client.words import (
    SCALE,
    condition_in_words,
    printable,
    ratio_in_words,
    sizes_tested,
    support_in_words,
    way_in_words,
)
from manyheads_shared.digest import Digest
from manyheads_shared.evidence import (
    Credentials,
    EvidenceRecord,
    HeadUsed,
    Instrument,
    ItemExamined,
    Result,
    Standing,
    Trial,
    UpdateMetadata,
)
from manyheads_shared.rungs import Rung

NO_PICTURE = "No picture: the file was not at hand, or has changed since."
RESAMPLED = "Resized for the networks: its finest traces are lost."
NOT_VALID = "not validated for such images"
MEASURED = "What the hub measured of each head on images it keeps for this, and its thresholds"
END = "End of the report. The evidence records are the result; this is one rendering of them."


@dataclass(frozen=True)
class Fact:
    """A line of the instrument: a term, what it is, and the digests that name it exactly."""

    term: str
    text: str
    digests: tuple[Digest, ...] = ()


def heading(examined: int, instrument: Instrument | None) -> str:
    """What was done, in one line."""
    done = f"{_count(examined, 'image')} examined"
    return f"{done} with bundle {instrument.bundle_sequence} of hub {instrument.hub}" if instrument else done


def origin(last: str | None, failed: int, source: Source | None) -> Iterator[str]:
    """From what the report was rendered, what it has no verdict on, and which record file it was, sealed by whom."""
    rendered = f"Rendered from evidence records{f', the last of {last}' if last else ''}."
    yield f"{rendered} {_count(failed, 'further file')} could not be examined." if failed else rendered
    if source:
        yield f"Record file {source.records}{_seal(source)}."


def broken_seal(problem: str) -> str:
    """Why a seal says nothing of the records."""
    return f"The seal that lies beside the record file does not hold: {printable(problem)}"


def coverage(instrument: Instrument) -> str:
    """Which makers can be named at all."""
    if not instrument.heads:
        return "This bundle holds no heads: it can say whether an image looks generated, and no maker can be named."
    return (
        f"This bundle can recognise images of {_count(len(instrument.heads), 'generator')}. Images of any other generator "
        "cannot be attributed, only found to be generated, and not always that."
    )


def conditions(instrument: Instrument) -> str:
    """Under which conditions, and on images of what size."""
    said = (
        f"Under which conditions: the detector was validated for {rungs(instrument.detector.validated)}; each head for what "
        "the table says. An image whose condition lies beyond is answered inconclusive."
    )
    sides = instrument.calibration.sides
    return f"{said} {sizes_tested(sides)}" if sides else said


def rungs(validated: tuple[Rung, ...]) -> str:
    """What a network was validated for."""
    return ", ".join(map(str, validated)) or "unchanged images alone"


def recall(head: HeadUsed) -> str:
    """How many of its generator's images a head claims, with the interval."""
    found = head.recall
    return f"{percent(found.share)} [{percent(found.lower)}, {percent(found.upper)}] of {found.total}"


def worst(head: HeadUsed) -> str:
    """The other images that a head claims most surely, with the upper bound."""
    if head.worst is None:
        return "not measured"
    source = f"{head.worst.kind}/{head.worst.source}{' (external)' if head.worst.external else ''}"
    return f"{source}, {percent(head.worst.yes.upper)}"


def cap(standing: Standing) -> str:
    """The largest ratio that a network's scores can have."""
    return "not known" if standing.cap is None else f"{10**standing.cap:,.0f} to 1"


def why_left_out(instrument: Instrument) -> tuple[str, ...]:
    """Of each catalogued head that is not in the bundle, why."""
    entries = sorted(instrument.left_out, key=lambda entry: entry.generator.title)
    return tuple(f"{entry.generator.title}, {entry.state}: {printable(entry.reason)}" for entry in entries)


def how_to_read(end: float) -> tuple[str, ...]:
    """What bars, ratios and answers mean; `end` is the log10 ratio at the ends of the axis."""
    ratio = f"{10**end:,.0f}"
    scale = ", ".join(f"{words} from {least:,}" for least, words in SCALE)
    return (
        (
            "The mark is a likelihood ratio: how many times as probable such a score is if the network's answer is yes (for a "
            "head: this generator made the image) as if it is no. The line through it is its 95 % interval. All bars here "
            f"run from 1 to {ratio} on the left to {ratio} to 1 on the right. A ratio says nothing of how probable the "
            "answer was before, and those of several heads are not to be multiplied."
        ),
        (
            f"In words, by the end of the interval nearer to 1: {scale} (ENFSI 2015). The answer beside a bar is that of the "
            "network's thresholds; its score is a logit, comparable with its own thresholds alone."
        ),
    )


def how_to_see(scale: float) -> str:
    """What the saliency pictures mean."""
    return (
        "The small coloured pictures: how much each place of the image adds to the named network's score, in logits "
        f"(saliency), from \N{MINUS SIGN}{scale:g} against to +{scale:g} for. One scale for all of them. It "
        "shows where a score comes from, not why."
    )


def claim(title: str, result: Result) -> str:
    """What a head's yes is worth."""
    support = support_in_words(result)
    what = " the proposition that it made the image" if support.endswith(("for", "against")) else ""
    doubt = "" if result.valid else f"; {NOT_VALID}, for which it may be another"
    return f"{title}: likelihood ratio {ratio_in_words(result)}, {support}{what}{doubt}."


def facts(record: EvidenceRecord) -> Iterator[str]:
    """What is known of an image beside its answers, a line each."""
    item = record.item
    yield f"Condition: {condition_in_words(record.strata)}."
    if record.trials is not None:
        yield f"After mild changes: {'; '.join(map(_trial, record.trials))}."
    yield "; ".join((_file(item), *map(printable, item.notes)))
    if item.credentials:
        yield credentials_in_words(item.credentials)


def exif(item: ItemExamined) -> str:
    """The EXIF data in one line; empty where there is none."""
    return "; ".join(f"{printable(tag)}: {printable(value)}" for tag, value in item.exif.items())


def credentials_in_words(found: Credentials) -> str:
    """What content credentials say, and whether that holds."""
    holds = "hashes and signature hold" if found.valid else f"not valid ({', '.join(found.findings)})"
    signer = f"signer {found.signer or 'not named'}, {'trusted' if found.trusted else 'not trusted here'}"
    said = [f"; they name as source {', '.join(found.sources)}"] if found.sources else []
    said += [": a trained algorithm made it, or part of it"] if found.generated else []
    maker = f"written by {found.made_with or 'what they do not name'}"
    return printable(f"Content credentials, a finding of their own: {maker}; {holds}; {signer}{''.join(said)}.")


def further(count: int) -> str:
    """What stands for the heads without a bar."""
    return f"{count} further heads, all further from their thresholds"


def more(count: int) -> str:
    """That a list goes on elsewhere."""
    return f"{count} more are in the record file."


def identify(instrument: Instrument) -> Iterator[Fact]:
    """What an instrument is, exactly."""
    primary, calibration = instrument.primary, instrument.calibration
    published = f"number {instrument.bundle_sequence}, published {instrument.bundle_created}"
    yield Fact("hub, bundle", f"{instrument.hub}, {published}", (instrument.bundle,))
    yield Fact("primary", f"{primary.name} {primary.version}, {primary.architecture}", (primary.digest,))
    titles = {head.head: head.generator.title for head in instrument.heads}
    for carried in instrument.carried_heads:
        made_for, loss = carried.primary, f"{100 * carried.loss.value:+.1f} points of AUROC lost"
        said = f"made for primary {made_for.name} {made_for.version}, run {way_in_words(carried.way)}: {loss}"
        until = f"; the hub means to leave it out after {carried.until}" if carried.until else ""
        yield Fact(f"head {titles.get(carried.head, 'not covered')}", said + until, (made_for.digest,))
    yield Fact("calibration", "", (calibration.digest,))
    yield Fact("suite", "", (calibration.suite,))
    yield Fact("update metadata", _metadata(instrument.metadata))
    yield Fact("software", f"{instrument.software}; {instrument.decoder}")
    yield Fact("device", f"{instrument.device}, {instrument.executor}, {instrument.precision}")
    yield Fact("instrument digest", "", (instrument.digest,))


def percent(share: float) -> str:
    """A share for people."""
    return f"{100 * share:.1f} %"


def _seal(source: Source) -> str:
    if source.seal is None:
        return "" if source.problem else ", not sealed"
    seal = source.seal.seal
    names = {"laboratory": seal.laboratory, "examiner": seal.examiner, "case": seal.case}
    named = (f", {what} {printable(name)}" for what, name in names.items() if name)
    return f", sealed by key {source.seal.key_id} on {seal.created}{''.join(named)}"


def _metadata(metadata: UpdateMetadata | None) -> str:
    if metadata is None:
        return "none: the bundle was opened without it"
    confirmed = (
        f"confirmed by the hub as its newest on {metadata.confirmed}"
        if metadata.confirmed
        else "brought in a pack, never confirmed by the hub from here"
    )
    dates = (f"{role} {version} valid until {metadata.expires[role]}" for role, version in metadata.versions.items())
    return f"{confirmed}; {', '.join(dates)}"


def _trial(trial: Trial) -> str:
    claims = f" ({', '.join(trial.claimed_by)})" if trial.claimed_by else ""
    return f"{trial.change}: {trial.state.value}{claims}"


def _file(item: ItemExamined) -> str:
    return f"{item.file_format}, {item.width}\N{MULTIPLICATION SIGN}{item.height} pixels, {item.size_bytes:,} bytes"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
