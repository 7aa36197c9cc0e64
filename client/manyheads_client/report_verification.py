"""Verifying a record file that somebody else made, without a hub and without a network.

The plan: (1) the seal: signed by the given key, over this very file; (2) the file: every line a record in canonical form, every
record of an instrument before it, one bundle; (3) every record agrees with itself and its instrument (`consistency`); (4) the
bundle: verified from the root down, the instrument is it, and every figure is computed again (`recomputation`); (5) the images:
each is what its record says (`originals`). What was not checked is said as plainly as what was.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import SSlibKey

from manyheads_client.bundle import Bundle
from manyheads_client.consistency import check_record
from manyheads_client.originals import Originals, check_original
from manyheads_client.provenance import Shelf
from manyheads_client.recomputation import check_instrument, check_results
from manyheads_client.records import OldRecord, Record, check_lines, read_instruments
from manyheads_client.sealing import count_records, read_seal, seal_path
from manyheads_client.steps import Step, Verification, build_steps
from manyheads_shared.digest import Digest, digest_file, short
from manyheads_shared.errors import FormatError, ManifestError, ManyheadsError, UsageError, VerificationError
from manyheads_shared.evidence import Examined, Instrument
from manyheads_shared.seal import Seal, SignedSeal

OnLine = Callable[[], None]  # called for every line that was looked at

TITLES = ("the seal", "the file", "every record by itself", "the bundle", "the images")
ALWAYS_OPEN = (
    "The scores themselves: `manyheads replay` computes them again, where bundle and images are.",
    "Names of files, moments and what software noted of a file: these stand as whoever made the records wrote them.",
)


@dataclass(frozen=True)
class Means:
    """What the verifier has beside the file."""

    key: SSlibKey | None = None  # of the laboratory
    shelf: Shelf | None = None  # where the bundle may lie
    root_given: bool = True  # the shelf is trusted by a root of the verifier's own
    originals: Originals | None = None  # where the images may lie


def verify_report(records: Path, means: Means, on_line: OnLine = lambda: None) -> Verification:
    """Verify a record file by the plan above.

    Raises:
        UsageError: the file cannot be read.
    """
    if not records.is_file():
        raise UsageError(f"{records}: expected a record file, as `attribute --jsonl` writes it")
    steps = build_steps(TITLES)
    run = _Run(records, means, steps)
    # step 1
    run.verify_seal()
    # steps 2 to 5, line by line
    run.verify_lines(on_line)
    return Verification(steps, (*run.not_checked(), *ALWAYS_OPEN), run.seal.key_id if run.seal else None)


class _Run:
    """One verification under way."""

    def __init__(self, records: Path, means: Means, steps: tuple[Step, ...]) -> None:
        self._path, self._means, self._steps = records, means, steps
        self.seal: SignedSeal | None = None
        self._bundles: dict[Digest, Bundle | None] = {}  # by digest; None: it is not here, or does not hold
        self._old = self._missing = 0  # records of version 1; images not found

    def verify_seal(self) -> None:
        step, key = self._steps[0], self._means.key
        if not seal_path(self._path).exists():
            if key is not None:
                step.fail(f"expected a seal at {seal_path(self._path).name}, there is none")
            return
        step.checked = 1
        try:
            self.seal = read_seal(self._path, key)
        except (FormatError, VerificationError, UsageError) as error:
            step.fail(str(error))
            return
        for words in check_seal(self.seal.seal, self._path):
            step.fail(words)
        step.detail = _describe_seal(self.seal)

    def verify_lines(self, on_line: OnLine) -> None:
        step, bundles = self._steps[1], set[str]()
        for number, line in check_lines(self._path):
            step.checked += 1
            on_line()
            if isinstance(line, ManifestError):
                step.fail(str(line), number)
            elif isinstance(line, Instrument):
                bundles.add(line.bundle)
                self._verify_bundle(number, line)
            else:
                self._verify_record(number, line)
        if len(bundles) > 1:
            step.fail(f"instruments of {len(bundles)} bundles; one scan is made with one")
        if not step.checked:
            step.fail("it holds no records")
        if not ends_whole(self._path):
            step.fail("the last line is unfinished")
        step.detail = f"{step.checked} lines"
        for each, what in ((self._steps[2], "records"), (self._steps[4], "images")):
            each.detail = f"{each.checked} {what}" if each.checked else ""

    def _verify_bundle(self, number: int, instrument: Instrument) -> None:
        step, shelf = self._steps[3], self._means.shelf
        if shelf is None:
            return
        step.checked += 1
        if instrument.bundle not in self._bundles:
            self._bundles[instrument.bundle] = None
            try:
                self._bundles[instrument.bundle] = shelf.open(instrument.bundle)
            except ManyheadsError as error:
                step.fail(f"{type(error).__name__}: {error}", number)
        if bundle := self._bundles[instrument.bundle]:
            step.detail = (
                f"bundle {bundle.verified.manifest.sequence} of hub {bundle.verified.manifest.hub}, from the root down"
            )
            for words in check_instrument(instrument, bundle):
                step.fail(words, number)

    def _verify_record(self, number: int, record: Record | OldRecord) -> None:
        if isinstance(record, OldRecord):
            self._old += 1
        if not isinstance(record, Examined):
            return
        self._steps[2].checked += 1
        for words in check_record(record):
            self._steps[2].fail(words, number, record.name)
        bundle = self._bundles.get(record.instrument.bundle)
        if bundle and bundle.generators == record.instrument.titles:
            for words in check_results(record, bundle):
                self._steps[3].fail(words, number, record.name)
        self._verify_image(number, record, bundle)

    def _verify_image(self, number: int, record: Examined, bundle: Bundle | None) -> None:
        originals, step = self._means.originals, self._steps[4]
        if originals is None:
            return
        item = originals.find(record.record.item)
        if item is None:
            self._missing += 1
            return
        step.checked += 1
        spec = bundle.verified.primary.manifest.preprocessing if bundle else None
        for words in check_original(record.record, item, spec):
            step.fail(words, number, record.name)

    def not_checked(self) -> Iterator[str]:
        means = self._means
        if not seal_path(self._path).exists():
            yield "No seal lies beside the file: who made it, and whether it is still as it was made."
        elif means.key is None:
            yield "Whose key signed the seal: no key was given (--key), the seal was held against the one it names."
        if means.shelf is None:
            yield "Whether the bundle is its hub's, and the ratios, intervals and figures it gives: no --store, no --pack."
        elif not means.root_given:
            yield "Whose hub the pack is of: no root was given (--root), the pack was held against its own first one."
        if means.originals is None:
            yield "Whether the images are those that were examined: no --images."
        elif self._missing:
            yield f"{self._missing} images that were not found."
        if self._old:
            yield f"{self._old} records of version 1, which hold too little to be computed again."


def check_seal(seal: Seal, records: Path) -> Iterator[str]:
    """Say where a file is not the one that was sealed."""
    size, digest = records.stat().st_size, digest_file(records)
    if (digest, size) != (seal.records, seal.size_bytes):
        yield (
            f"the file has {size} bytes and digest {short(digest)}, sealed were {seal.size_bytes} bytes, "
            f"{short(seal.records)}: it was changed since, or the seal is another file's"
        )
        return
    try:
        counted, instruments = count_records(records), [instrument.digest for instrument in read_instruments(records)]
    except FormatError:
        return  # said by step 2
    if (counted.examined, counted.failed) != (seal.examined, seal.failed):
        yield (
            f"the file has {counted.examined} images examined and {counted.failed} failed, the seal says {seal.examined} and "
            f"{seal.failed}"
        )
    if tuple(dict.fromkeys(instruments)) != seal.instruments:
        yield "the file's instruments are not those that the seal names"


def ends_whole(records: Path) -> bool:
    """Whether a file's last line is finished."""
    with records.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _describe_seal(signed: SignedSeal) -> str:
    seal = signed.seal
    said = {"laboratory": seal.laboratory, "examiner": seal.examiner, "case": seal.case}
    words = [
        f"signed by key {signed.key_id[:12]} on {seal.created}",
        *(f"{name} {value}" for name, value in said.items() if value),
    ]
    return ", ".join(words)
