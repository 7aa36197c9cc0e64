"""Which files a request means: paths as typed, folders walked to the last corner, and what was passed over counted."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads_shared.errors import UsageError
from manyheads_shared.image import SUFFIXES


@dataclass(frozen=True)
class Inputs:
    """The images to examine, in order, and the files in walked folders that are none by their names."""

    images: tuple[Path, ...]
    passed_over: Counter[str]  # by suffix, "" for none


def collect_inputs(paths: Sequence[Path]) -> Inputs:
    """Find the images under `paths`. A file named outright is always examined; in folders the suffix decides.

    Folders are walked in sorted order, hidden files included, links to folders not followed. A file reached twice counts once.

    Raises:
        UsageError: a path that is not there.
    """
    images: dict[str, Path] = {}  # by real path
    passed_over: Counter[str] = Counter()
    for path in paths:
        if path.is_dir():
            for file in _walk(path):
                if file.suffix.lower() in SUFFIXES:
                    images.setdefault(os.path.realpath(file), file)
                else:
                    passed_over[file.suffix.lower()] += 1
        elif path.exists():
            images.setdefault(os.path.realpath(path), path)
        else:
            raise UsageError(f"{path}: no such file or folder")
    return Inputs(tuple(images.values()), passed_over)


def item_name(path: Path) -> str:
    """The name of a file in records: as it was typed, with bytes that are no UTF-8 spelt out."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def _walk(root: Path) -> list[Path]:
    files: list[Path] = []
    for folder, names, entries in os.walk(root, onerror=_refuse_unreadable):
        names.sort()
        files += [Path(folder, name) for name in sorted(entries)]
    return files


def _refuse_unreadable(error: OSError) -> None:
    """An unreadable folder must not look like an empty one."""
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}")
