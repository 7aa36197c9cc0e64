"""What a new head does to the bundle it would join: verdicts before and after, and who claims whose images. Pure.

Bands are fitted as a bundle's are, on the calibration half, for the heads without the new one and with it; verdicts are those
of the test half, by the client's own rule. A head that joins makes every other one stricter, since they share one budget; that
loss is the price of any head. What is held against this one is only what it takes by its own claims.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.evaluations.claims import is_of, share_of
from manyheads_hub.evaluations.coarse import in_steps
from manyheads_hub.evaluations.gate import percent
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Score, Scores, by_source, detector_logits, head_logits
from manyheads_hub.evaluations.statement import to_bound
from manyheads_shared.api import Reason
from manyheads_shared.calibration import Band, fit_band, head_alpha
from manyheads_shared.dataset import Kind
from manyheads_shared.decision import State, Verdict, decide
from manyheads_shared.document import Value
from manyheads_shared.manifest import Generator
from manyheads_shared.statements import Bound


class Verdicts(Value):
    """What a bundle says of the suite's test half."""

    heads: int
    named_rightly: Bound | None  # of catalogued generators' images, those attributed to their own head alone
    named_wrongly: Bound | None  # of all test images, those attributed to another's head alone
    photographs_claimed: Bound | None  # by any head


class Overlap(Value):
    """How the new head and one accepted head see each other's images, on the test half."""

    generator: str  # name@version of the accepted head
    claims_theirs: Bound | None  # of their images, those that the new head claims
    claimed_by_them: Bound | None  # of the proof images, those that their head claims


class BundleEffect(Value):
    """A bundle without a head, and with it."""

    before: Verdicts
    after: Verdicts
    lost: Bound | None  # of other generators' images named rightly before, those that the new head's claim unsettles
    overlaps: tuple[Overlap, ...]


@dataclass(frozen=True)
class _Column:
    """One head's logits of all rows, its generator, and its band among so many heads."""

    generator: Generator
    logits: NDArray[np.float32]

    def band(self, rows: Sequence[Score], alpha: float) -> Band | None:
        """Fit the band as a bundle's is; None where the calibration half has too little."""
        own: list[int] = []
        foreign: dict[tuple[Kind, str], list[int]] = defaultdict(list)
        for i, row in enumerate(rows):
            if row.part == "calibration" and not row.external:
                (own if is_of(row, self.generator) else foreign[row.kind, row.source]).append(i)
        if not own or not any(foreign.values()):
            return None
        return fit_band({source: self.logits[places] for source, places in foreign.items()}, self.logits[own], alpha=alpha)


def measure_effect(
    scores: Scores, rivals: NDArray[np.float32], generators: Sequence[Generator], own: Generator, policy: Policy
) -> BundleEffect | None:
    """Compare the bundle without and with a head; None where the suite cannot calibrate a detector.

    Args:
        scores: of the new head, proof images included.
        rivals: float32 (N, K), of the accepted heads, in the order of the rows.
        generators: of the accepted heads, K of them; none is `own`'s.
    """
    rows = scores.rows
    detector = _detector_band(rows, policy)
    if detector is None:
        return None
    accepted = [_Column(generator, rivals[:, k]) for k, generator in enumerate(generators)]
    mine = _Column(own, head_logits(rows))
    before = _decide(rows, detector, accepted, policy)
    after = _decide(rows, detector, [*accepted, mine], policy)
    tested = [i for i, row in enumerate(rows) if row.part == "test" and not row.external]
    joined = len(after.columns) - 1 if after.columns and after.columns[-1] is mine else None
    lost = [
        joined is not None and joined in after.verdicts[i].claimed_by
        for i in tested
        if not is_of(rows[i], own) and before.is_right(rows, i)
    ]
    return BundleEffect(
        before=before.summarise(rows, tested),
        after=after.summarise(rows, tested),
        lost=to_bound(share_of(lost)) if lost else None,
        overlaps=tuple(_overlap(rows, column, mine, after) for column in accepted),
    )


def check_effect(effect: BundleEffect | None, policy: Policy) -> list[Reason]:
    """Return why a head would harm the bundle it joins; nothing when it would not."""
    if effect is None or effect.lost is None or effect.lost.lower <= policy.max_bundle_loss_lower:
        return []
    return [
        Reason(
            code="harms-the-bundle",
            message=f"of {effect.lost.total} images of other generators that the bundle names rightly today, this head's "
            "claims "
            f"would unsettle {in_steps(effect.lost.hits, effect.lost.total)}; the lower bound of that share is above "
            f"{percent(policy.max_bundle_loss_lower)}. Train it against images of the generators in the catalogue.",
        )
    ]


@dataclass(frozen=True)
class _Decided:
    columns: tuple[_Column, ...]  # those that could be calibrated
    bands: tuple[Band, ...]
    verdicts: tuple[Verdict, ...]  # one a row

    def is_right(self, rows: Sequence[Score], i: int) -> bool:
        """Whether an image is attributed to its own generator's head alone."""
        verdict = self.verdicts[i]
        return verdict.state is State.ATTRIBUTED and is_of(rows[i], self.columns[verdict.claimed_by[0]].generator)

    def summarise(self, rows: Sequence[Score], tested: Sequence[int]) -> Verdicts:
        catalogued = [i for i in tested if any(is_of(rows[i], column.generator) for column in self.columns)]
        photographs = [bool(self.verdicts[i].claimed_by) for i in tested if rows[i].kind == "real"]
        rightly = [self.is_right(rows, i) for i in catalogued]
        wrongly = [self.verdicts[i].state is State.ATTRIBUTED and not self.is_right(rows, i) for i in tested]
        return Verdicts(
            heads=len(self.columns),
            **{
                name: to_bound(share_of(answers)) if answers else None
                for name, answers in (
                    ("named_rightly", rightly),
                    ("named_wrongly", wrongly),
                    ("photographs_claimed", photographs),
                )
            },
        )


def _decide(rows: Sequence[Score], detector: Band, columns: Sequence[_Column], policy: Policy) -> _Decided:
    alpha = head_alpha(policy.heads_alpha, len(columns))
    fitted = [(column, band) for column in columns if (band := column.band(rows, alpha)) is not None]
    logits = np.column_stack([detector_logits(rows), *(column.logits for column, _ in fitted)]).astype(np.float32)
    bands = tuple(band for _, band in fitted)
    names = [column.generator.title for column, _ in fitted]
    return _Decided(tuple(column for column, _ in fitted), bands, tuple(decide(row, detector, bands, names) for row in logits))


def _detector_band(rows: Sequence[Score], policy: Policy) -> Band | None:
    chosen = [row for row in rows if row.part == "calibration" and not row.external]
    real, generated = ([row for row in chosen if row.kind == kind] for kind in ("real", "generated"))
    if not real or not generated:
        return None
    return fit_band(by_source(real, detector_logits), detector_logits(generated), alpha=policy.detector_alpha)


def _overlap(rows: Sequence[Score], theirs: _Column, mine: _Column, after: _Decided) -> Overlap:
    thresholds = {column.generator: band.high for column, band in zip(after.columns, after.bands, strict=True)}

    def claims(column: _Column, chosen: Sequence[int]) -> Bound | None:
        high = thresholds.get(column.generator)
        return to_bound(share_of(bool(column.logits[i] >= high) for i in chosen)) if chosen and high is not None else None

    tested = [i for i, row in enumerate(rows) if row.part == "test" and not row.external]
    return Overlap(
        generator=theirs.generator.title,
        claims_theirs=claims(mine, [i for i in tested if is_of(rows[i], theirs.generator)]),
        claimed_by_them=claims(theirs, [i for i in tested if rows[i].proof]),
    )
