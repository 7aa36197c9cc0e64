"""Replaying: records examined again, with the bundle that they name, on the images that they name, and compared.

On the same device with the same software a logit comes out the same to the last bit, whatever is beside its image
(docs/decisions/0016-folded-heads.md); elsewhere it may differ by rounding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from manyheads_client.analysis import Attribution, attribute
from manyheads_client.bundle import Bundle
from manyheads_client.originals import Originals
from manyheads_client.provenance import Shelf
from manyheads_shared.digest import Digest
from manyheads_shared.evidence import EvidenceRecord, Examined, Instrument

TOLERANCE = 1e-3  # logits, on another device or software: a hundred times what folded heads were seen to differ by
_PLACE = ("software", "decoder", "device", "executor", "precision")  # of an instrument: what may move the last bits


class Outcome(StrEnum):
    """What became of one image examined again."""

    EQUAL = "equal"  # every logit to the last bit, and every answer
    CLOSE = "close"  # the same answers, logits within the tolerance, which another place may need
    DIFFERS = "differs"
    GONE = "gone"  # the image is not there, or has another content
    FAILED = "failed"  # it cannot be examined here


@dataclass(frozen=True)
class Replay:
    """One record examined again."""

    entry: Examined
    outcome: Outcome
    largest: float | None  # difference of any logit; None: it was not examined again
    reasons: tuple[str, ...]  # what differs, and why it may

    @property
    def holds(self) -> bool:
        """Whether the record was found again."""
        return self.outcome in (Outcome.EQUAL, Outcome.CLOSE)


def replay(
    entries: Iterable[Examined],
    shelf: Shelf,
    originals: Originals,
    *,
    device: str = "auto",
    jobs: int | None = None,
    on_record: Callable[[], None] = lambda: None,
) -> Iterator[Replay]:
    """Examine records again, in their order.

    The plan: (1) the bundle of the record's digest, verified from the root down; (2) the image by name or digest, with the same
    content; (3) examined in the same precision, after the same mild changes; (4) answers and logits compared.

    Raises:
        NoBundleError: the shelf does not have the bundle.
        FormatError, VerificationError: it has, and the bundle does not hold.
        UsageError: a device or precision that is not there.
    """
    bundles: dict[Digest, Bundle] = {}
    runs = groupby(entries, key=lambda entry: (entry.record.instrument, entry.record.trials is not None))
    for (_, stability), run in runs:
        for window in _windows(run):
            instrument = window[0].instrument
            # step 1
            if instrument.bundle not in bundles:
                bundles[instrument.bundle] = shelf.open(instrument.bundle)
            # step 2
            found = [(entry, originals.find(entry.record.item)) for entry in window]
            # step 3
            results = attribute(
                (item for _, item in found if item),
                bundles[instrument.bundle],
                device=device,
                precision=instrument.precision,
                stability=stability,
                jobs=jobs,
            )
            for entry, item in found:
                result = next(results) if item else None
                # step 4
                if result is None:
                    yield Replay(entry, Outcome.GONE, None, ("the image is not there",))
                elif isinstance(result, Attribution):
                    yield compare(entry, result.entry)
                else:
                    yield Replay(entry, Outcome.FAILED, None, (result.entry.reason,))
                on_record()


_WINDOW = 1024  # records whose images are looked for at once


def _windows(entries: Iterable[Examined]) -> Iterator[list[Examined]]:
    window: list[Examined] = []
    for entry in entries:
        window.append(entry)
        if len(window) == _WINDOW:
            yield window
            window = []
    if window:
        yield window


def compare(before: Examined, after: Examined) -> Replay:
    """Compare a record with one of the same image made again."""
    old, new = before.record, after.record
    if old.item.sha256 != new.item.sha256:
        return Replay(before, Outcome.GONE, None, ("the file of this name has another content now",))
    largest = max(abs(a - b) for a, b in zip(_logits(old), _logits(new), strict=True))
    moved = tuple(_moved(before.instrument, after.instrument))
    differs = tuple(_differences(before, after, largest, same_place=not moved))
    if differs:
        return Replay(before, Outcome.DIFFERS, largest, differs + (moved or ("device and software are those of the record",)))
    return Replay(before, Outcome.EQUAL if largest == 0 else Outcome.CLOSE, largest, moved if largest else ())


def _differences(before: Examined, after: Examined, largest: float, *, same_place: bool) -> Iterator[str]:
    old, new = before.record, after.record
    titles = ("the detector", *before.instrument.titles)
    answers = zip(titles, (old.detector, *old.heads), (new.detector, *new.heads), strict=True)
    for title, was, now in answers:
        if was.answer is not now.answer:
            yield f"{title}: {was.answer.value} in the record, {now.answer.value} now"
    if largest > (0 if same_place else TOLERANCE):
        expected = "equal to the last bit" if same_place else f"within {TOLERANCE:g}"
        yield f"logits differ by up to {largest:.2g}, expected {expected}"
    if old.item.pixels != new.item.pixels:
        yield "the file decodes to another picture here"
    if (old.state, old.claimed_by, old.trials) != (new.state, new.claimed_by, new.trials):
        yield f"{old.state.value} in the record, {new.state.value} now, or other claims or trials"


def _moved(old: Instrument, new: Instrument) -> Iterator[str]:
    """Say what about the place is not what it was."""
    for field in _PLACE:
        was, now = getattr(old, field), getattr(new, field)
        if was != now:
            yield f"{field} was {was}, is {now}"


def _logits(record: EvidenceRecord) -> Sequence[float]:
    return [record.detector.logit, *(result.logit for result in record.heads)]
