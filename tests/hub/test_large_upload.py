"""A gigabyte through the API of a hub that really runs: in little memory, and whoever is killed sends only the rest again."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from manyheads_contributor.hub_client import HubClient
from manyheads_hub.hub import Hub
from manyheads_hub.settings import Limits
from manyheads_shared.digest import Digest, digest_file
from tests.support.grounds import EMBEDDED, PRODUCTION
from tests.support.live_hub import Owner, Process, running, wait_until

BLOCK_BYTES = 1 << 20
GROWTH_BYTES = 64 << 20  # of a hub's memory, whatever the size: pieces and parts, of 4 and 8 MiB, a few times over
ON_THE_WAY_BYTES = 32 << 20  # sent, and in nobody's hands when the hub is killed: socket buffers and one piece
UPLOAD = (
    "import sys; from pathlib import Path; from manyheads_contributor.hub_client import HubClient;"
    "url, token, digest, path = sys.argv[1:]; HubClient(url, token).upload(digest, Path(path))"
)


def blocks(start: int, end: int) -> Iterator[bytes]:
    """The object from one byte to another, made on the way; every block differs."""
    for number in range(start // BLOCK_BYTES, -(-end // BLOCK_BYTES)):
        block = number.to_bytes(8, "big") * (BLOCK_BYTES // 8)
        yield block[max(start - number * BLOCK_BYTES, 0) : end - number * BLOCK_BYTES]


def digest_of(size: int) -> Digest:
    sha256 = hashlib.sha256()
    for block in blocks(0, size):
        sha256.update(block)
    return Digest(f"sha256:{sha256.hexdigest()}")


def memory(process: Process, line: str) -> int:
    """Bytes of a process's memory: VmRSS now, VmHWM at its highest."""
    facts = dict(row.split(":", 1) for row in Path(f"/proc/{process.process.pid}/status").read_text().splitlines())
    return int(facts[line].split()[0]) << 10


def send(process: Process, owner: Owner, size: int, start: int, on_block: Callable[[int], object] = str) -> int:
    """Send the object from a byte on, in one request; return how many bytes went out."""
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        for block in blocks(start, size):
            sent += len(block)
            yield block
            on_block(sent)

    headers = {"Authorization": f"Bearer {owner.token}", "Upload-Offset": str(start), "Upload-Length": str(size)}
    headers["Content-Length"] = str(size - start)
    httpx.patch(f"{process.url}/v1/uploads/{digest_of(size)}", content=body(), headers=headers, timeout=120).raise_for_status()
    return sent


def offset(process: Process, owner: Owner, digest: Digest) -> int:
    with HubClient(process.url, owner.token) as client:
        return client.uploaded_bytes(digest)[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("ground", "size"), [(EMBEDDED, 1 << 29), (PRODUCTION, 1 << 27)], indirect=["ground"])
def test_a_large_object_goes_through_little_memory_and_through_a_kill_of_the_hub(hub: Hub, ada: Owner, size: int) -> None:
    replace(hub.settings, limits=Limits(upload_bytes=2 << 30)).write()
    digest, stop = digest_of(size), int(size * 0.63)
    with running(hub.settings.folder, "--no-worker") as first:
        offset(first, ada, digest)  # boto3 and psycopg are loaded by the first request that needs them
        idle = memory(first, "VmRSS")
        with pytest.raises(httpx.TransportError):
            send(first, ada, size, 0, lambda sent: kill_at(stop, sent, first, idle))
    with running(hub.settings.folder, "--no-worker") as second:
        held = offset(second, ada, digest)
        idle = memory(second, "VmRSS")
        assert stop - ON_THE_WAY_BYTES <= held <= stop + BLOCK_BYTES
        assert send(second, ada, size, held) == size - held
        assert offset(second, ada, digest) == size
        assert memory(second, "VmHWM") - idle < GROWTH_BYTES
    assert hub.storage.find_size(f"blobs/{digest[7:9]}/{digest[7:]}") == size
    assert list(hub.storage.list("uploads")) == []


def kill_at(stop: int, sent: int, process: Process, idle: int) -> None:
    if sent >= stop:
        assert memory(process, "VmHWM") - idle < GROWTH_BYTES
        process.kill()


@pytest.mark.parametrize("ground", [EMBEDDED, PRODUCTION], indirect=True)
def test_a_client_that_is_killed_sends_only_the_rest(hub: Hub, ada: Owner, tmp_path: Path) -> None:
    path, size = tmp_path / "object", 60 << 20
    with path.open("wb") as stream:
        stream.writelines(blocks(0, size))
    digest = digest_file(path)
    with running(hub.settings.folder, "--no-worker") as process, HubClient(process.url, ada.token) as client:
        killed = subprocess.Popen([sys.executable, "-c", UPLOAD, process.url, ada.token, digest, str(path)])
        wait_until(lambda: offset(process, ada, digest) > size // 2)
        killed.kill()
        killed.wait(30)
        held = client.uploaded_bytes(digest)[0]
        assert client.upload(digest, path) <= size - held
        assert client.uploaded_bytes(digest) == (size, True)
        assert client.upload(digest, path) == 0
