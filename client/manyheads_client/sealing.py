"""Sealing: a laboratory signs a record file, whole and finished. The seal lies beside it, `SCAN.jsonl.seal.json`.

Nothing is judged here; whether what was sealed holds is for `report_verification`.
"""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_client.listing import Summary, build_line, summarise
from manyheads_client.records import check_lines, read_instruments, read_latest
from manyheads_shared.clock import now
from manyheads_shared.digest import Digest, digest_file
from manyheads_shared.errors import FormatError, ManifestError, UsageError, VerificationError
from manyheads_shared.files import write_atomic
from manyheads_shared.keys import public_pem
from manyheads_shared.seal import CustodyHead, Seal, SignedSeal, sign_seal, verify_seal

SEAL_SUFFIX = ".seal.json"


@dataclass(frozen=True)
class Signatory:
    """Who seals, in whose name and for what."""

    key: CryptoSigner
    laboratory: str | None = None
    examiner: str | None = None
    case: str | None = None


@dataclass(frozen=True)
class Source:
    """What a report was rendered from."""

    records: Digest  # of the record file
    seal: SignedSeal | None  # that lies beside it and holds
    problem: str | None  # why one that lies beside it does not


def seal_path(records: Path) -> Path:
    """Where the seal of a record file lies, or would."""
    return records.with_name(records.name + SEAL_SUFFIX)


def seal_records(records: Path, signatory: Signatory, *, custody: CustodyHead | None = None) -> SignedSeal:
    """Seal a record file; a seal that lies beside it already is replaced.

    The plan: (1) nobody writes to the file; (2) every line is a record, the last one whole; (3) its digest and counts, signed;
    (4) it is still the same file; (5) the seal appears, whole.

    Args:
        custody: the newest line of the case's log.

    Raises:
        UsageError: step 1, 2 or 4 fails, or a name is empty or too long.
    """
    try:
        handle = os.open(records, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{records}: cannot be read: {error.strerror}") from error
    try:
        # step 1
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        # step 2
        _refuse_unfinished(records, handle)
        # step 3
        seal = _build_seal(records, signatory, custody)
        data = sign_seal(seal, signatory.key)
        # step 4
        if digest_file(records) != seal.records:
            raise UsageError(f"{records}: it changed while it was sealed; nothing was sealed")
    except BlockingIOError as error:
        raise UsageError(f"{records}: another process is writing records to this file; seal it when that is done") from error
    finally:
        os.close(handle)
    # step 5
    write_atomic(seal_path(records), data)
    return verify_seal(data)


def read_seal(records: Path, key: SSlibKey | None = None) -> SignedSeal:
    """Read the seal beside a record file and verify its signature; the file itself is not looked at.

    Raises:
        UsageError: there is none.
        FormatError, SignatureError: it does not hold.
    """
    path = seal_path(records)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: expected the seal of {records.name}: {error.strerror}") from error
    return verify_seal(data, key)


def describe_source(records: Path) -> Source:
    """Return what a report says of the file it was rendered from. The seal's key is whichever it names.

    Raises:
        UsageError: the file cannot be read.
    """
    digest = digest_file(records)
    if not seal_path(records).exists():
        return Source(digest, None, None)
    try:
        signed = read_seal(records)
    except (FormatError, VerificationError) as error:
        return Source(digest, None, str(error))
    if signed.seal.records != digest:
        return Source(digest, None, "it seals another content: the file was changed since, or the seal is another file's")
    return Source(digest, signed, None)


def count_records(records: Path) -> Summary:
    """Count a record file as a seal does: of every name its last record. Errors as `read_records`."""
    return summarise(map(build_line, read_latest(records)))


def _refuse_unfinished(records: Path, handle: int) -> None:
    size = os.fstat(handle).st_size
    if size == 0 or os.pread(handle, 1, size - 1) != b"\n":
        raise UsageError(f"{records}: expected whole records, its last line is unfinished; go on with the scan first")
    for number, line in check_lines(records):
        if isinstance(line, ManifestError):
            raise UsageError(f"{records}, line {number}: expected a record, got something else: {line}")


def _build_seal(records: Path, signatory: Signatory, custody: CustodyHead | None) -> Seal:
    counted = count_records(records)
    try:
        return Seal.new(
            records=digest_file(records),
            size_bytes=records.stat().st_size,
            examined=counted.examined,
            failed=counted.failed,
            instruments=tuple(dict.fromkeys(instrument.digest for instrument in read_instruments(records))),
            laboratory=signatory.laboratory,
            examiner=signatory.examiner,
            case=signatory.case,
            custody=custody,
            public_key=public_pem(signatory.key.public_key),
            created=now(),
        )
    except ManifestError as error:
        raise UsageError(f"{records}: cannot be sealed: {error}") from error
