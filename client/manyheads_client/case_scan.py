"""Examining a case: the images in its evidence into records, sealed, and the seal into the log."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from manyheads_client.archives import is_archive
from manyheads_client.bundle import Bundle
from manyheads_client.case import Case, Evidence, open_case
from manyheads_client.custody import CustodyLog
from manyheads_client.engines.local import LocalEngine
from manyheads_client.engines.port import Options
from manyheads_client.inputs import Inputs, Item, item_name
from manyheads_client.records import RecordFile
from manyheads_client.scan import Scanned, scan
from manyheads_client.sealing import Signatory, seal_records
from manyheads_shared.errors import UsageError
from manyheads_shared.image import SUFFIXES
from manyheads_shared.seal import SignedSeal


@dataclass(frozen=True)
class Examination:
    """What examining a case did."""

    file: Path  # of the records
    scanned: Scanned
    sealed: SignedSeal


def examine_case(
    folder: Path,
    bundle: Bundle,
    key: CryptoSigner,
    options: Options,
    *,
    who: str | None = None,
    on_item: Callable[[], None] = lambda: None,
) -> Examination:
    """Attribute the evidence of a case, and seal what came of it.

    The plan: (1) the key is the case's; (2) a scan that was not sealed is taken up, if it is of this bundle, or else a new one
    started; (3) every image in the evidence is examined; (4) the records are sealed, and with them the log so far; (5) the log
    tells of the seal. A kill at any moment costs what `scan` says; examining again goes on from there.

    Args:
        who: examines; None: who opened the case.

    Raises:
        UsageError: step 1 fails, or as `open_case`; or the evidence holds no image.
        ChainError: the case's log was changed.
        As `scan`.
    """
    with open_case(folder) as (case, log):
        # step 1
        if key.public_key.keyid != case.key.keyid:
            raise UsageError(f"{folder}: the case is sealed by key {case.key.keyid[:12]}, not {key.public_key.keyid[:12]}")
        if not any(map(_is_examined, case.evidence)):
            raise UsageError(f"{folder}: no png, jpeg or webp file and no archive in evidence; add some with `case add`")
        # step 2
        examiner = who or case.examiner
        file = _choose_scan(case, log, bundle, examiner)
        # step 3
        with RecordFile(folder / file, bundle.verified.digest) as records:
            scanned = scan(_items(case), records, LocalEngine(bundle, options), on_item=on_item)
        # step 4
        signatory = Signatory(key, case.laboratory, examiner, case.id)
        sealed = seal_records(folder / file, signatory, custody=log.head)
        # step 5
        found = sealed.seal
        counts = {"examined": found.examined, "failed": found.failed}
        log.append(examiner, "scan.sealed", file, records=found.records, seal=sealed.digest, **counts)
    return Examination(folder / file, scanned, sealed)


def _choose_scan(case: Case, log: CustodyLog, bundle: Bundle, who: str) -> str:
    """The scan to go on with, or the next one, started by a line of the log."""
    before = case.scans
    if before and before[-1].sealed is None and before[-1].bundle == bundle.verified.digest:
        return before[-1].file
    manifest, file = bundle.verified.manifest, f"scans/{len(before) + 1:04d}.jsonl"
    log.append(who, "scan.started", file, hub=manifest.hub, bundle=bundle.verified.digest, bundle_sequence=manifest.sequence)
    return file


def _is_examined(evidence: Evidence) -> bool:
    file = Path(evidence.file)
    return file.suffix in SUFFIXES or is_archive(file)


def _items(case: Case) -> Iterator[Item]:
    """The images in the evidence, each named by where it lies below the case's folder."""
    prefix = item_name(case.folder) + "/"
    files = dict.fromkeys(case.folder / evidence.file for evidence in case.evidence if _is_examined(evidence))
    for item in Inputs(list(files)).items():
        yield replace(item, name=item.name.removeprefix(prefix))
