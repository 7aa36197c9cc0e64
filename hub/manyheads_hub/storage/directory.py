"""Storage in a directory: one file for each name, written beside its place, synced, renamed."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from manyheads_hub.storage.port import CHUNK_BYTES, StoredFile, StoredFileMissingError, is_name
from manyheads_shared.digest import Digest, digest_file
from manyheads_shared.errors import UsageError
from manyheads_shared.files import sync_folder

ATTEMPTS = 3  # at a folder that another process removes, being empty, the moment we made it


class DirectoryStorage:
    """See `Storage`. Replicas may share the directory over a network file system that keeps renames atomic."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, data: bytes) -> None:
        """See `Storage.write`."""
        self.write_stream(name, [data])

    def write_stream(self, name: str, chunks: Iterable[bytes]) -> None:
        """See `Storage.write_stream`."""
        path = self._path(name)
        handle, temporary = _open_beside(path)
        try:
            with os.fdopen(handle, "wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._sync(path.parent)

    def read(self, name: str) -> bytes:
        """See `Storage.read`."""
        try:
            return self._path(name).read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise StoredFileMissingError(self.place(name)) from error

    @contextmanager
    def stream(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[Iterator[bytes]]:
        """See `Storage.stream`."""
        try:
            stream = self._path(name).open("rb")
        except (FileNotFoundError, IsADirectoryError) as error:
            raise StoredFileMissingError(self.place(name)) from error
        with stream:
            stream.seek(start)
            left = os.fstat(stream.fileno()).st_size - start if end is None else end - start

            def chunks() -> Iterator[bytes]:
                rest = left
                while rest > 0 and (chunk := stream.read(min(CHUNK_BYTES, rest))):
                    rest -= len(chunk)
                    yield chunk

            yield chunks()

    def find_size(self, name: str) -> int | None:
        """See `Storage.find_size`."""
        path = self._path(name)
        try:
            return path.stat().st_size if path.is_file() else None
        except FileNotFoundError:
            return None

    def find_digest(self, name: str) -> Digest | None:
        """See `Storage.find_digest`: the file is read, for disks decay."""
        try:
            return digest_file(self._path(name))
        except (FileNotFoundError, IsADirectoryError):
            return None

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """See `Storage.list`."""
        found = []
        for path in self._path(prefix).rglob("*"):
            name = path.relative_to(self.root).as_posix()
            with suppress(FileNotFoundError):  # gone since
                if is_name(name) and path.is_file():
                    facts = path.stat()
                    found.append(StoredFile(name, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC)))
        return iter(sorted(found, key=lambda file: file.name))

    def delete(self, name: str) -> None:
        """See `Storage.delete`. Folders that this leaves empty go too."""
        path = self._path(name)
        path.unlink(missing_ok=True)
        for folder in path.relative_to(self.root).parents[:-2]:  # not the uppermost, nor the root
            try:
                (self.root / folder).rmdir()
            except OSError:  # not empty, or gone
                return

    def sweep(self, prefix: str, before: datetime) -> int:
        """See `Storage.sweep`."""
        count = 0
        for path in self._path(prefix).rglob(".*"):
            with suppress(FileNotFoundError):
                if path.is_file() and datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                    path.unlink()
                    count += 1
        return count

    def link(self, name: str) -> str | None:  # noqa: ARG002 - the port's
        """See `Storage.link`: a directory has no address."""
        return None

    def check(self) -> None:
        """See `Storage.check`."""
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise UsageError(f"{self.root}: expected a folder that may be written to")

    def place(self, name: str) -> str:
        """See `Storage.place`."""
        return str(self.root / name)

    def close(self) -> None:
        """See `Storage.close`: nothing is open."""

    def _path(self, name: str) -> Path:
        assert is_name(name), name  # what a caller sends is checked at the door (`bundles.routes`)
        return self.root / name

    def _sync(self, folder: Path) -> None:
        """Make a rename survive a power cut: each folder on the way down may be new."""
        for each in (folder, *folder.parents):
            with suppress(FileNotFoundError):  # emptied and removed since
                sync_folder(each)
            if each == self.root:
                return


def _open_beside(path: Path) -> tuple[int, Path]:
    for attempt in range(1, ATTEMPTS + 1):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        except FileNotFoundError:
            if attempt == ATTEMPTS:
                raise
        else:
            return handle, Path(name)
    raise AssertionError
