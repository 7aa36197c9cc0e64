"""Which images a request means: files, folders to the last corner, patterns, lists, archives. A stream, never all at once.

What walked folders and archives hold beside images is counted. An item is read by whoever examines it; what cannot be read
then is that item's failure, and the others go on.
"""

import glob
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manyheads_client.archives import is_archive, read_archive
from manyheads_shared.errors import UnreadableImageError, UsageError
from manyheads_shared.image import MAX_FILE_BYTES, SUFFIXES, Pixels, read_image_file

STDIN = Path("-")
_PATTERN = frozenset("*?[")
IN_ARCHIVE = "!/"  # between an archive's name and that of its member


@dataclass(frozen=True)
class Item:
    """One image to examine."""

    name: str  # in records
    size: int | None  # bytes, as far as it is known without reading
    read: Callable[[], bytes | Pixels]  # what raises ImageError is the item's failure
    path: Path | None = None  # the file that it is the whole of, which others may read as well; None: only `read` can


@dataclass
class Inputs:
    """The images that some paths and lists mean, in a fixed order."""

    paths: Sequence[Path]
    lists: Sequence[Path] = ()
    null: bool = False  # names in lists end with a zero byte, not a line
    passed_over: Counter[str] = field(default_factory=Counter)  # by suffix, "" for none; grows while items are taken

    def verify(self) -> None:
        """Find what is not there before hours of work.

        Raises:
            UsageError: a path or list that does not exist, a pattern that matches nothing, standard input asked for twice.
        """
        for path in (path for path in self.paths if path != STDIN):
            if not path.exists() and not (_is_pattern(path) and next(_match(path), None)):
                raise UsageError(f"{path}: {'nothing matches this pattern' if _is_pattern(path) else 'no such file or folder'}")
        for names in (names for names in self.lists if names != STDIN):
            if not names.is_file():
                raise UsageError(f"--list {names}: no such file")
        if [*self.paths, *self.lists].count(STDIN) > 1:
            raise UsageError("`-` is given twice, and there is one standard input")

    def count(self) -> int | None:
        """Count the images, if that is quick: no standard input, and no archive that would have to be opened."""
        if STDIN in (*self.paths, *self.lists):
            return None
        count = 0
        for path, is_named in self._files():
            if is_archive(path):
                return None
            count += is_named or path.suffix.lower() in SUFFIXES
        return count

    def items(self) -> Iterator[Item]:
        """Yield every image. A file or archive named outright is always examined; in folders and archives the suffix decides.

        Folders are walked in sorted order, hidden files included, links to folders not followed. What two requests mean is
        yielded twice, by one name.

        Raises:
            UsageError: a folder that cannot be read: it must not look like an empty one.
        """
        for path, is_named in self._files():
            if path is STDIN:
                yield Item("stdin", None, lambda: sys.stdin.buffer.read(MAX_FILE_BYTES + 1))
            elif is_archive(path):
                yield from self._in_archive(path)
            elif is_named or path.suffix.lower() in SUFFIXES:
                yield file_item(path)
            else:
                self.passed_over[path.suffix.lower()] += 1

    def _files(self) -> Iterator[tuple[Path, bool]]:
        """Every file, and whether it was named outright."""
        for path in self.paths:
            if path == STDIN:
                yield STDIN, True
            elif path.exists():
                yield from _expand(path)
            else:
                yield from (file for match in _match(path) for file in _expand(match))
        for names in self.lists:
            for path in _read_names(names, b"\0" if self.null else b"\n"):
                yield from _expand(path)

    def _in_archive(self, path: Path) -> Iterator[Item]:
        try:
            for member in read_archive(path):
                suffix = Path(member.name).suffix.lower()
                if suffix in SUFFIXES:
                    yield Item(f"{item_name(path)}{IN_ARCHIVE}{member.name}", member.size, member.read)
                else:
                    self.passed_over[suffix] += 1
        except UnreadableImageError as error:
            yield Item(item_name(path), None, _refuse(error))


def _expand(path: Path) -> Iterator[tuple[Path, bool]]:
    return ((file, False) for file in _walk(path)) if path.is_dir() else iter(((path, True),))


def file_item(path: Path) -> Item:
    """One file as an item."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError):  # a name with a zero byte
        size = None
    return Item(item_name(path), size, lambda: read_image_file(path), path)


def find_item(name: str) -> Item:
    """The item that a record names; where it is no longer there, reading it fails."""
    archive, mark, member_name = name.partition(IN_ARCHIVE)
    if not mark or Path(name).exists():
        return file_item(Path(name))

    def read() -> bytes:
        for member in read_archive(Path(archive)):
            if member.name == member_name:
                return member.read()
        raise UnreadableImageError(f"{archive} holds no {member_name}")

    return Item(name, None, read)


def item_name(path: Path) -> str:
    """The name of a file in records: as it was typed, with bytes that are no UTF-8 spelt out."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def _refuse(error: UnreadableImageError) -> Callable[[], bytes]:
    def read() -> bytes:
        raise error

    return read


def _is_pattern(path: Path) -> bool:
    return not _PATTERN.isdisjoint(str(path))


def _match(path: Path) -> Iterator[Path]:
    return map(Path, sorted(glob.iglob(str(path), recursive=True)))  # noqa: PTH207 - it takes absolute patterns too


def _walk(root: Path) -> Iterator[Path]:
    for folder, names, entries in os.walk(root, onerror=_refuse_unreadable):
        names.sort()
        yield from (Path(folder, name) for name in sorted(entries))


def _read_names(path: Path, end: bytes) -> Iterator[Path]:
    """Paths in a list, one a line; empty lines count for nothing."""
    with sys.stdin.buffer if path == STDIN else path.open("rb") as stream:
        yield from (Path(os.fsdecode(name)) for name in _split(stream, end) if name.strip())


def _split(stream: Iterable[bytes], end: bytes) -> Iterator[bytes]:
    rest = b""
    for line in stream:
        *whole, rest = (rest + line).split(end)
        yield from whole
    yield rest


def _refuse_unreadable(error: OSError) -> None:
    """An unreadable folder must not look like an empty one."""
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}")
