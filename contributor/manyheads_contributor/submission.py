"""What an owner is about to offer a hub, checked here first: cheaper than an upload, and nothing leaves the machine.

The hub checks everything again; sending it is for `manyheads_contributor.hub_client`.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manyheads_contributor.audit.container import read_container
from manyheads_contributor.duplicates import Fingerprint, find_copies, fingerprint
from manyheads_contributor.run import RunFolder
from manyheads_shared.api import MAX_PROOFS, MIN_PROOFS, SubmissionRequest
from manyheads_shared.artifact import MAX_HEAD_BYTES, read_head_manifest
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.errors import DatasetError, ImageError, StatementError, UsageError
from manyheads_shared.image import MAX_FILE_BYTES, SUFFIXES, decode_image
from manyheads_shared.manifest import HeadManifest
from manyheads_shared.statements import MAX_STATEMENT_BYTES


@dataclass(frozen=True)
class Offer:
    """A head with what vouches for it; every file named by its digest."""

    manifest: HeadManifest
    head: Digest
    statement: Digest
    proofs: tuple[Digest, ...]
    files: dict[Digest, Path]  # everything to upload
    with_metadata: int  # proof images that carry EXIF, text or the like, which the hub will see

    @property
    def request(self) -> SubmissionRequest:
        """The offer as the hub reads it."""
        return SubmissionRequest(head=self.head, owner_statement=self.statement, proofs=list(self.proofs))


def statement_path(head: Path) -> Path:
    """Where the owner's statement on a head stands: beside it, `.statement.json` appended."""
    return head.with_name(head.name + ".statement.json")


def check_offer(head: Path, proofs: Path, *, run: Path | None = None, on_image: Callable[[], None] | None = None) -> Offer:
    """Check a head, its owner's statement and its proof images.

    The plan: (1) a head's manifest; (2) the owner's statement beside it, about this very head; (3) as many proof images as a
    hub takes; (4) each decodes, and shows something of its own; (5) none shows what was trained on, as far as `run` tells.

    Args:
        head: a head artifact, its statement beside it.
        proofs: a folder of images made by the generator for this purpose.
        run: the run that trained the head.

    Raises:
        UsageError: a file or folder is not there, or steps 3 or 5 fail.
        FormatError: step 1 fails.
        StatementError: step 2 fails.
        DatasetError: step 4 fails; every offending image is named.
    """
    # step 1
    head_bytes = _read(head, MAX_HEAD_BYTES, "expected a head artifact, as `manyheads-contributor package` writes it")
    manifest = read_head_manifest(head_bytes)
    digest = digest_bytes(head_bytes)
    # step 2
    beside = statement_path(head)
    statement = _read(beside, MAX_STATEMENT_BYTES, "expected the owner's statement, which `package` writes beside the head")
    _refuse_foreign_statement(statement, digest, beside)
    # step 3
    paths = list_proofs(proofs)
    if not MIN_PROOFS <= len(paths) <= MAX_PROOFS:
        raise UsageError(
            f"{proofs}: expected {MIN_PROOFS} to {MAX_PROOFS} proof images (png, jpeg or webp), found {len(paths)}; "
            "make some with your generator for this purpose, not those it was trained on"
        )
    # step 4
    files, prints, with_metadata = _check_proofs(paths, on_image)
    # step 5
    if run is not None:
        _refuse_trained_on(files, prints, RunFolder(run))
    everything = files | {digest: head, digest_bytes(statement): beside}
    return Offer(manifest, digest, digest_bytes(statement), tuple(files), everything, with_metadata)


def list_proofs(folder: Path) -> list[Path]:
    """Return the images directly in a folder, sorted by name.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; expected one with proof images")
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _read(path: Path, max_bytes: int, expected: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise UsageError(f"{path}: {expected}: {error.strerror or error}") from error
    if len(data) > max_bytes:
        raise UsageError(f"{path}: {expected}; this file has more than {max_bytes} bytes")
    return data


def _refuse_foreign_statement(data: bytes, head: Digest, path: Path) -> None:
    """Look at whom a statement speaks of; the signature is the hub's to verify, with the key it enrolled."""
    try:
        payload = json.loads(base64.b64decode(json.loads(data)["payload"], validate=True))
        subject = payload["subject"][0]["digest"]["sha256"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise StatementError(f"{path}: expected an owner's statement (DSSE), got something else: {error!r}") from error
    if subject != hex_of(head):
        raise StatementError(f"{path}: the statement is about another head (sha256:{subject}); package this head again")


def _check_proofs(paths: list[Path], on_image: Callable[[], None] | None) -> tuple[dict[Digest, Path], list[Fingerprint], int]:
    """Return the proofs by digest, what they are recognised by in the same order, and how many carry metadata."""
    files: dict[Digest, Path] = {}
    shown: dict[bytes, Path] = {}
    prints: list[Fingerprint] = []
    problems, with_metadata = [], 0
    for path in paths:
        try:
            data = _read(path, MAX_FILE_BYTES, "expected an image")
            pixels = decode_image(data).pixels
        except ImageError as error:
            problems.append(f"{path.name}: {error}")
            continue
        finally:
            if on_image:
                on_image()
        prints.append(fingerprint(pixels))
        first = shown.setdefault(prints[-1].pixels, path)
        if first is not path:
            problems.append(f"{path.name} shows the same pixels as {first.name}")
        files[digest_bytes(data)] = path
        with_metadata += bool(read_container(data).metadata)
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise DatasetError(f"{len(problems)} of {len(paths)} proof images cannot be used: {'; '.join(problems[:5])}{more}")
    return files, prints, with_metadata


def _refuse_trained_on(proofs: dict[Digest, Path], prints: list[Fingerprint], run: RunFolder) -> None:
    copies = find_copies(prints, run.read_seen())
    seen = [path.name for path, is_copy in zip(proofs.values(), copies, strict=True) if is_copy]
    if seen:
        raise UsageError(
            f"{len(seen)} of {len(proofs)} proof images were trained on in {run.path}, or are near-duplicates of such, "
            f"for instance {seen[0]}: recall on them proves nothing. Make new images with the generator, or take the run's "
            "test images."
        )
