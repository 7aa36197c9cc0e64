"""Logits to an evidence record: answers, what each is worth under the image's condition, the verdict and its doubts. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads_client.bundle import Bundle
from manyheads_client.words import condition_in_words, size_in_words
from manyheads_shared.calibration import Band, Evidence, Sides
from manyheads_shared.clock import now
from manyheads_shared.condition import Condition, Stratum, strata
from manyheads_shared.decision import Circumstances, State, Verdict, answer, decide, qualify
from manyheads_shared.digest import Digest
from manyheads_shared.evidence import EvidenceRecord, ItemExamined, Result, Trial
from manyheads_shared.support import weigh

SIZE_MARGIN = 1.25  # an image may be so much larger or smaller than those of the suite

Logits = NDArray[np.float32]


class Judge:
    """Judges images by one bundle."""

    def __init__(self, bundle: Bundle, instrument: Digest) -> None:
        self._instrument, self._titles = instrument, bundle.generators
        self._sides, self._usual = bundle.sides, bundle.usual
        self._detector, self._heads = bundle.detector_band, bundle.head_bands
        self._evidence = (bundle.detector_evidence, *bundle.heads_evidence)

    def decide(self, logits: Logits) -> Verdict:
        """What thresholds alone say of logits (1 + K,)."""
        return decide(logits, self._detector, self._heads, self._titles)

    def judge(
        self, item: ItemExamined, condition: Condition, logits: Logits, changed: Sequence[tuple[str, Logits]] | None
    ) -> EvidenceRecord:
        """Judge one image.

        Args:
            logits: float32 (1 + K,): the detector's, then each head's.
            changed: logits of the image after each mild change, by its name; None: not tested.
        """
        by_scores = self.decide(logits)
        found, fits = strata(condition, self._usual), fits_sides(item, self._sides)
        results = [
            build_result(float(logit), band, evidence, found, fits=fits)
            for logit, band, evidence in zip(logits, (self._detector, *self._heads), self._evidence, strict=True)
        ]
        trials = None if changed is None else tuple(self._trial(change, of_change) for change, of_change in changed)
        claimed = self._named(by_scores)
        verdict, doubts = qualify(
            by_scores,
            Circumstances(
                detector_valid=results[0].valid,
                heads_valid=[result.valid for result in results[1:]],
                stable=survives(trials, by_scores.state, claimed),
                condition=name_condition(item, found, self._sides),
            ),
            self._titles,
        )
        return EvidenceRecord.new(
            item=item,
            instrument=self._instrument,
            condition=condition,
            strata=found,
            detector=results[0],
            heads=tuple(results[1:]),
            scores_say=by_scores.state,
            trials=trials,
            doubts=doubts,
            state=verdict.state,
            claimed_by=claimed,
            explanation=verdict.explanation,
            created=now(),
        )

    def _trial(self, change: str, logits: Logits) -> Trial:
        verdict = self.decide(logits)
        return Trial(change=change, state=verdict.state, claimed_by=self._named(verdict))

    def _named(self, verdict: Verdict) -> tuple[str, ...]:
        return tuple(self._titles[i] for i in verdict.claimed_by)


def fits_sides(item: ItemExamined, sides: Sides | None) -> bool:
    """Whether the suite has images of about this size; None: the hub did not say what sizes it has."""
    if sides is None:
        return True
    return sides.shortest / SIZE_MARGIN <= min(item.width, item.height) <= sides.longest * SIZE_MARGIN


def survives(trials: Sequence[Trial] | None, state: State, claimed: tuple[str, ...]) -> bool | None:
    """Whether a verdict by the scores is the same after every mild change; None: not tested."""
    return None if trials is None else all((trial.state, trial.claimed_by) == (state, claimed) for trial in trials)


def name_condition(item: ItemExamined, found: Sequence[Stratum], sides: Sides | None) -> str:
    """What about an image its doubts name: its degradations, or its size where the suite has none like it."""
    return condition_in_words(found) if fits_sides(item, sides) else size_in_words(item, sides)


def build_result(logit: float, band: Band, evidence: Evidence | None, found: Sequence[Stratum], *, fits: bool) -> Result:
    """Weigh one network's score under the image's strata; `fits`: the suite has images of about its size."""
    given = answer(logit, band)
    support = weigh(logit, given, evidence, found)
    ratio = support.ratio
    return Result(
        logit=logit,
        answer=given,
        log10_ratio=round_ratio(ratio.value) if ratio else None,
        lower=round_ratio(ratio.lower) if ratio else None,
        upper=round_ratio(ratio.upper) if ratio else None,
        valid=support.valid and fits,
        reach=support.reach,
    )


def round_ratio(log10_ratio: float | None) -> float | None:
    """Three decimals are a quarter of a percent: more than any ratio here is known to."""
    return None if log10_ratio is None else round(log10_ratio, 3) + 0.0  # no minus zero
