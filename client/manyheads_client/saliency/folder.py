"""A folder of saliency: of every image its maps and the picture the networks saw, while a scan runs; overlays once it is done.

An image's files are written before its record, so that a scan taken up again lacks none. Overlays are drawn from these files
alone; one that is there already, on the same scale and of the same record, is left as it is.
"""

import io
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from manyheads_client.analysis import Attribution
from manyheads_client.pictures import find_speaking
from manyheads_client.records import OldRecord, Record
from manyheads_client.saliency.arrays import (
    DETECTOR,
    SaliencyFile,
    SaliencyManifest,
    read_manifest,
    read_saliency,
    stem_of,
    write_saliency,
)
from manyheads_client.saliency.scale import OverlayScale, ScaleFinder
from manyheads_shared.digest import Digest
from manyheads_shared.errors import FormatError, UsageError
from manyheads_shared.evidence import Examined
from manyheads_shared.files import write_atomic
from manyheads_shared.image import Pixels
from manyheads_shared.overlay import overlay

SCALE_FILE = "scale.json"
_TEXT_KEY = "manyheads"  # of the PNG text that says what an overlay shows


@dataclass(frozen=True)
class SaliencyFolder:
    """Where the saliency of a scan goes."""

    path: Path
    scale: float | None = None  # logits; None: found over the scan

    def verify(self) -> None:
        """Find out before hours of work what could not be written during them.

        Raises:
            UsageError: a folder that cannot be made or written to, a scale that is not above 0.
        """
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise UsageError(f"--saliency-scale: expected logits above 0, got {self.scale:g}")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--saliency {self.path}: expected a folder ({error.strerror})") from error
        if not os.access(self.path, os.W_OK):
            raise UsageError(f"--saliency {self.path}: expected a folder that can be written to")

    def has(self, name: str, instruments: Collection[Digest]) -> bool:
        """Whether an image's maps are there, made by one of these instruments."""
        try:
            manifest = read_manifest(self._array(name))
        except FormatError:
            return False
        return manifest.name == name and manifest.instrument in instruments

    def add(self, result: Attribution) -> None:
        """Write an image's maps and the picture they belong to.

        Raises:
            OSError: the disk is full.
        """
        assert result.saliency is not None  # asked for
        array = self._array(result.name)
        if array.exists():  # the image is examined again: no picture of before may stay
            for title in (DETECTOR, *result.entry.instrument.titles):
                self._overlay(result.name, title).unlink(missing_ok=True)
        write_atomic(self._picture(result.name), _png(result.pixels, PngInfo()))
        write_saliency(array, result.entry, result.saliency)

    def draw(
        self, read: Callable[[], Iterable[Record | OldRecord]], on_image: Callable[[], None] = lambda: None
    ) -> OverlayScale:
        """Draw the detector and the heads that speak, of every record whose maps are here; write the scale beside them.

        Args:
            read: the records, from their beginning; called twice where the scale has to be found.

        Raises:
            OSError: the disk is full.
        """
        scale, drawn = self.scale or self._find_scale(read), 0
        networks: dict[str, None] = {}
        instruments: dict[Digest, None] = {}
        for entry in _examined(read()):
            found = self._find(entry)
            if found is None:
                continue
            networks |= dict.fromkeys(found.manifest.networks)
            instruments[found.manifest.instrument] = None
            if scale is not None:
                self._draw(entry, found, scale)
                drawn += 1
            on_image()
        said = OverlayScale.new(
            scale=scale, given=self.scale is not None, images=drawn, networks=tuple(networks), instruments=tuple(instruments)
        )
        write_atomic(self.path / SCALE_FILE, said.to_bytes())
        return said

    def _find_scale(self, read: Callable[[], Iterable[Record | OldRecord]]) -> float | None:
        finder = ScaleFinder()
        for entry in _examined(read()):
            if found := self._find(entry):
                finder.add(found.maps[[column for _, column in find_speaking(entry)]])
        return finder.find()

    def _find(self, entry: Examined) -> SaliencyFile | None:
        """The maps of this very record, or None."""
        try:
            found = read_saliency(self._array(entry.name))
        except FormatError:
            return None
        return found if found.manifest == SaliencyManifest.of(entry) else None

    def _draw(self, entry: Examined, found: SaliencyFile, scale: float) -> None:
        pixels: Pixels | None = None
        for title, column in find_speaking(entry):
            path, said = self._overlay(entry.name, title), _says(found.manifest, title, scale)
            if _text_of(path) == said:
                continue
            if pixels is None:
                with Image.open(self._picture(entry.name)) as picture:
                    pixels = np.asarray(picture.convert("RGB"))
            text = PngInfo()
            text.add_text(_TEXT_KEY, said)
            write_atomic(path, _png(overlay(pixels, found.maps[column], scale=scale), text))

    def _array(self, name: str) -> Path:
        return self.path / f"{stem_of(name)}.safetensors"

    def _picture(self, name: str) -> Path:
        return self.path / f"{stem_of(name)}.png"

    def _overlay(self, name: str, title: str) -> Path:
        return self.path / f"{stem_of(name)}.{title}.png"


def _examined(records: Iterable[Record | OldRecord]) -> Iterator[Examined]:
    return (record for record in records if isinstance(record, Examined))


def _says(manifest: SaliencyManifest, title: str, scale: float) -> str:
    """What an overlay shows, inside it."""
    tied = {"pixels": manifest.pixels, "instrument": manifest.instrument}
    return json.dumps({"network": title, "scale": scale} | tied, sort_keys=True)


def _text_of(path: Path) -> str | None:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            assert isinstance(image, PngImageFile)
            return image.text.get(_TEXT_KEY)
    except (OSError, SyntaxError, ValueError):
        return None


def _png(pixels: Pixels, text: PngInfo) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=text)
    return stream.getvalue()
