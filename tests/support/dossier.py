"""A sealed scan of a laboratory, and the ways in which somebody may change it: every edit leaves whole, canonical lines."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from securesystemslib.signer import CryptoSigner

from manyheads_client.analysis import attribute
from manyheads_client.bundle import Bundle
from manyheads_client.records import RecordFile
from manyheads_client.sealing import Signatory, seal_records
from manyheads_shared.canonical import from_canonical, to_canonical
from manyheads_shared.digest import digest_bytes
from manyheads_shared.evidence import EvidenceRecord, Instrument

Line = dict[str, Any]
Edit = Callable[[list[Line]], object]


def make_scan(path: Path, images: Sequence[Path], bundle: Bundle, key: CryptoSigner | None, *, stability: bool = True) -> Path:
    """Examine images into a record file, and seal it."""
    with RecordFile(path, bundle.verified.digest) as file:
        file.write(result.entry for result in attribute(images, bundle, device="cpu", stability=stability))
    if key:
        seal_records(path, Signatory(key, "Lab 4", "A. Lovelace", "2026-117"))
    return path


def write_degraded(folder: Path, source: Path) -> list[Path]:
    """A picture so blurred that it lies beyond the ladder, and a JPEG file of the network's own size, whose tables show it."""
    folder.mkdir(parents=True, exist_ok=True)
    picture, jpeg = Image.open(source), BytesIO()
    picture.crop((0, 0, 32, 32)).save(jpeg, "JPEG", quality=85)
    (folder / "saved.jpg").write_bytes(jpeg.getvalue())
    small = picture.resize((8, 8)).resize(picture.size, Image.Resampling.BICUBIC)
    small.save(folder / "blurred.png")
    return [folder / "blurred.png", folder / "saved.jpg"]


def read_lines(path: Path) -> list[Line]:
    """The lines of a record file as values."""
    return [from_canonical(line) for line in path.read_bytes().splitlines()]


def write_lines(path: Path, lines: Sequence[Line]) -> None:
    """Write lines; records name the instrument before them, as it is now."""
    data, instrument = [], ""
    for line in lines:
        if line["format"] == Instrument.FORMAT:
            instrument = digest_bytes(to_canonical(line))
        elif line["format"] == EvidenceRecord.FORMAT and instrument:
            line["instrument"] = instrument
        data.append(to_canonical(line) + b"\n")
    path.write_bytes(b"".join(data))


def edit_scan(path: Path, edit: Edit) -> None:
    """Change a record file and leave the seal beside it as it is."""
    lines = read_lines(path)
    edit(lines)
    write_lines(path, lines)


def put(place: str, value: Any) -> Edit:
    """Set one field, `2.heads.0.answer`: line, then keys. A callable gets the value that is there."""

    def edit(lines: list[Line]) -> None:
        *parts, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        target: Any = lines
        for part in parts:
            target = target[part]
        target[last] = value(target[last]) if callable(value) else value

    return edit
