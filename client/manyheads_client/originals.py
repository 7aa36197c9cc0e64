"""The images behind records, found again: where the records say, or by digest in a folder. And whether they are those.

A folder is walked once; a file in it is only digested when some record has its size.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from manyheads_client.inputs import IN_ARCHIVE, Inputs, Item, file_item, find_item
from manyheads_client.item import describe_file
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import ImageError
from manyheads_shared.estimates import estimate_condition
from manyheads_shared.evidence import EvidenceRecord, ItemExamined
from manyheads_shared.image import decode_image
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import fit_decoded

_NATIVE = Preprocessing(representation="pixel", image_size=None, fit="native")  # nothing is fitted: for describing a file alone


class Originals:
    """Where the images of records lie."""

    def __init__(self, folder: Path | None = None) -> None:
        """Look in `folder`, archives in it included; None: where the records say."""
        self._folder = folder
        self._by_size: dict[int | None, list[Item]] | None = None
        self._digests: dict[str, str] = {}  # by name

    def find(self, wanted: ItemExamined) -> Item | None:
        """Return the image of a record, under the record's name; None: it is not there.

        In a folder it is the file of its digest, or else the one of its name. Whoever reads it compares digests.
        """
        if self._folder is None:
            named = find_item(wanted.name)
            return named if named.size is not None or IN_ARCHIVE in wanted.name else None
        for item in self._candidates(wanted.size_bytes):
            if self._digest(item) == wanted.sha256:
                return replace(item, name=wanted.name)
        path = self._folder / (Path(wanted.name).name or ".")
        return replace(file_item(path), name=wanted.name) if path.is_file() else None

    def _candidates(self, size: int) -> list[Item]:
        if self._by_size is None:
            self._by_size = {}
            for item in Inputs([self._folder] if self._folder else []).items():
                lasting = find_item(item.name) if IN_ARCHIVE in item.name else item  # a tar's member holds its bytes
                self._by_size.setdefault(item.size, []).append(lasting)
        return self._by_size.get(size, [])

    def _digest(self, item: Item) -> str:
        if item.name not in self._digests:
            try:
                content = item.read()
            except ImageError:
                content = b""
            self._digests[item.name] = "" if isinstance(content, np.ndarray) else digest_bytes(content)
        return self._digests[item.name]


def check_original(record: EvidenceRecord, item: Item, spec: Preprocessing | None) -> Iterator[str]:
    """Say where a file is not what a record says of it: (1) its bytes; (2) its picture, format and data; (3) its condition.

    Args:
        spec: of the primary, from a verified bundle; None: what depends on it is not looked at.
    """
    wanted = record.item
    try:
        content = item.read()
        if isinstance(content, np.ndarray):  # no file holds it
            return
        # step 1
        if digest_bytes(content) != wanted.sha256:
            yield "sha256: the file of this name has another content than the record says"
            return
        if hashlib.sha512(content).hexdigest() != wanted.sha512:
            yield "sha512: it is not that of the file"
        # step 2
        decoded = decode_image(content)
    except ImageError as error:
        yield f"the file cannot be examined here: {error}"
        return
    described = describe_file(wanted.name, content, decoded, spec or _NATIVE, None)
    for field in ItemExamined.model_fields:
        if field in ("name", "sha256", "sha512", "credentials", "notes") or (field == "resampled" and spec is None):
            continue  # names are for people; what software notes of a file depends on its version
        if getattr(wanted, field) != getattr(described, field):
            yield f"{field}: it is not that of the file"
    # step 3
    if spec is not None and estimate_condition(fit_decoded(decoded, spec)) != record.condition:
        yield "condition: estimated here on the file, it is another"
