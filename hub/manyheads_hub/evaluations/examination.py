"""One head's examination, from values to values: the quick stage, then the full suite. Loads torch through `measure`.

No database, no files of its own: whoever wants it in another process hands over a task and takes back what it found. The
plan: (1) the quick stage on a few images, and the end where it refuses; (2) everything as it is, with all accepted heads;
(3) the test half under every profile of the policy; (4) the search for a trigger.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.evaluations import triggers
from manyheads_hub.evaluations.claims import is_of
from manyheads_hub.evaluations.copies import Likeness, compare_weights, output_agreement
from manyheads_hub.evaluations.measure import HeadMeasurement, measure_changed, measure_head
from manyheads_hub.evaluations.quick import check_quick, choose_sample, measure_quick, shrink_suite
from manyheads_hub.evaluations.scores import detector_logits, head_logits
from manyheads_hub.evaluations.suite import Progress, Suite, SuiteImage, label_proofs, work_ahead
from manyheads_hub.evaluations.task import Examination, Full, Task
from manyheads_hub.evaluations.trigger_gains import TriggerGain, to_trigger_gain
from manyheads_shared.compute import Compute
from manyheads_shared.degradations import degrade
from manyheads_shared.digest import Digest
from manyheads_shared.errors import ImageError
from manyheads_shared.image import Pixels
from manyheads_shared.preprocess import fit_image

TRIGGER_PHOTOGRAPHS = 16  # a trigger that works on these works on others: it is one for all of them
TRIGGER_RIVALS = 3  # other heads that a trigger search is compared with, beside the detector: each costs as much as the head


def examine(task: Task, compute: Compute, *, on_batch: Progress | None = None) -> Examination:
    """Examine a head; the plan is the module's.

    Args:
        on_batch: called after every batch with the images done and the images in all, those of every stage together.

    Raises:
        FeatureContractError, NonFiniteScoreError, DigestMismatchError: as `measure.measure_head`.
    """
    proofs = label_proofs(task.head.manifest.generator.name, task.proofs)
    sample = shrink_suite(task.suite, task.policy.quick_images)
    shown = choose_sample(proofs, task.policy.quick_images)
    tested = tuple(image for image in (*task.suite.images, *proofs) if image.part == "test")
    whole = len(task.suite.images) + len(proofs)
    tally = _Tally(on_batch, len(sample.images) + len(shown) + whole + len(task.policy.degradations) * len(tested))
    # step 1
    (_, quick_scores) = measure_changed(
        task.primary, [task.head], sample, (*sample.images, *shown), compute, on_batch=tally.next_stage()
    )
    quick = measure_quick(quick_scores, task.head.manifest.generator)
    likenesses = compare_weights(task.head, task.rivals, task.primary.architecture)
    if check_quick(quick, likenesses, task.policy):
        return Examination(quick_scores, quick, likenesses, None)
    # step 2
    measured = measure_head(
        task.primary,
        task.head,
        task.suite,
        task.proofs,
        compute,
        rivals=task.rivals,
        passages=task.passages,
        on_batch=tally.next_stage(),
    )
    # step 3
    degraded = {
        profile: measure_changed(
            task.primary,
            [task.head],
            task.suite,
            tested,
            compute,
            change=partial(_degrade, profile=profile, seed=task.policy.degradation_seed),
            on_batch=tally.next_stage(),
        )[1]
        for profile in task.policy.degradations
    }
    # step 4
    trigger = _search_trigger(task, measured, compute, on_network=tally.repeat)
    full = Full(measured.scores, measured.rivals, degraded, trigger, measured.pictures)
    return Examination(quick_scores, quick, _with_outputs(likenesses, task, measured), full)


class _Tally:
    """Progress of several stages as one."""

    def __init__(self, on_batch: Progress | None, total: int) -> None:
        self._on_batch, self._total, self._done, self._before = on_batch, total, 0, 0

    def next_stage(self) -> Progress:
        """Return what a stage calls with its own images done."""
        self._before = self._done

        def advance(done: int, total: int) -> None:
            self._done = self._before + done
            self.repeat()

        return advance

    def repeat(self) -> None:
        """Say the same again: time passed, and whoever listens may want to stop."""
        if self._on_batch:
            self._on_batch(self._done, self._total)


def _degrade(pixels: Pixels, digest: Digest, *, profile: str, seed: int) -> Pixels:
    return degrade(pixels, profile, seed=seed, digest=digest)


def _with_outputs(likenesses: Sequence[Likeness], task: Task, measured: HeadMeasurement) -> tuple[Likeness, ...]:
    columns = {rival.digest: (measured.rivals[:, k], rival.manifest.generator.name) for k, rival in enumerate(task.rivals)}
    return tuple(
        likeness.model_copy(update={"outputs": output_agreement(measured.scores.rows, *columns[Digest(likeness.head)])})
        for likeness in likenesses
    )


def _search_trigger(
    task: Task, measured: HeadMeasurement, compute: Compute, *, on_network: Callable[[], None]
) -> TriggerGain | None:
    """Search a trigger for the head, and for the detector and a few accepted heads to compare it with."""
    photographs = _photographs(task.suite, task)
    if not photographs:
        return None
    beside = task.native_rivals[:TRIGGER_RIVALS]
    gains = triggers.measure_gains(task.primary, [task.head, *beside], photographs, compute, on_network=on_network)
    return to_trigger_gain(gains, _contrasts(task, measured))


def _photographs(suite: Suite, task: Task) -> list[Pixels]:
    images = [image for image in suite.images if image.label.kind == "real" and image.part == "calibration"]
    chosen = sorted((image for image in images if not image.label.external), key=lambda image: image.digest)
    spec = task.primary.manifest.preprocessing

    def fit(image: SuiteImage) -> Pixels:
        return fit_image(image.decode().pixels, spec)

    fitted = (pixels for _, pixels in work_ahead(chosen[:TRIGGER_PHOTOGRAPHS], fit))
    return [pixels for pixels in fitted if not isinstance(pixels, ImageError)]


def _contrasts(task: Task, measured: HeadMeasurement) -> NDArray[np.float64]:
    """Median logit of each network on what it is to find, less its median on photographs; float64 (2 + rivals,).

    One that has nothing to find in the suite is infinite: no gain of it counts.
    """
    rows = measured.scores.rows
    real = np.array([row.kind == "real" and not row.external for row in rows], dtype=bool)
    columns = [
        (detector_logits(rows), np.array([row.kind == "generated" and not row.external for row in rows], dtype=bool)),
        (head_logits(rows), np.array([row.proof for row in rows], dtype=bool)),
    ]
    columns += [
        (
            measured.rivals[:, k],
            np.array([is_of(row, rival.manifest.generator) and not row.external for row in rows], dtype=bool),
        )
        for k, rival in enumerate(task.native_rivals[:TRIGGER_RIVALS])
    ]
    return np.array([np.median(logits[own]) - np.median(logits[real]) if own.any() else np.inf for logits, own in columns])
