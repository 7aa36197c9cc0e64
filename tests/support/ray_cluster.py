"""A real Ray on loopback, and scans on it as processes that can be killed."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.ports import free_ports

OBJECT_STORE_BYTES = 100 << 20
ACTORS = 2
PARCEL_IMAGES = 10  # small, so that a kill falls between many
_RAY = Path(sys.executable).with_name("ray")
_DRIVER = "import sys; from tests.support.ray_cluster import drive; drive(*sys.argv[1:])"


@contextmanager
def ray_cluster(cpus: int = 2) -> Iterator[str]:
    """Start a cluster of this machine alone; yields its address. Drivers find its token in the environment."""
    os.environ |= {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # Ray makes way for others, and a busy machine would starve it
    }
    port, client_port = free_ports(2)
    address = f"127.0.0.1:{port}"
    # in /tmp, because the names of sockets are short
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        command = [str(_RAY), "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}"]
        command += [f"--ray-client-server-port={client_port}", f"--temp-dir={folder}", "--include-dashboard=false"]
        command += [f"--num-cpus={cpus}", f"--object-store-memory={OBJECT_STORE_BYTES}"]
        with (Path(folder) / "start.log").open("wb") as log:
            head = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            try:
                _wait_for(address, head)
                yield address
            finally:
                for pid in _session(head.pid):
                    with suppress(ProcessLookupError):  # it ended meanwhile
                        os.kill(pid, signal.SIGKILL)
                head.wait()


def start_driver(address: str, store: Path, images: Path, jsonl: Path) -> subprocess.Popen[str]:
    """Start a scan of a folder in a process of its own; it prints how far at most items were ahead of records."""
    command = [sys.executable, "-c", _DRIVER, address, str(store), str(images), str(jsonl)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def drive(address: str, store: str, images: str, jsonl: str) -> None:
    """Scan a folder."""
    from manyheads_client.bundle import Bundle  # noqa: PLC0415 - loaded in the child
    from manyheads_client.engines.cluster import Cluster  # noqa: PLC0415
    from manyheads_client.engines.port import Options  # noqa: PLC0415
    from manyheads_client.engines.ray import open_ray  # noqa: PLC0415
    from manyheads_client.inputs import Inputs, Item  # noqa: PLC0415
    from manyheads_client.records import RecordFile  # noqa: PLC0415
    from manyheads_client.scan import scan  # noqa: PLC0415

    taken = made = ahead = 0

    def counted(items: Iterable[Item]) -> Iterator[Item]:
        nonlocal taken, ahead
        for item in items:
            taken += 1
            ahead = max(ahead, taken - made)
            yield item

    def count_record() -> None:
        nonlocal made
        made += 1

    bundle = Bundle.open(store)
    cluster = Cluster(address, actors=ACTORS, parcel_images=PARCEL_IMAGES)
    with (
        RecordFile(Path(jsonl), bundle.verified.digest) as file,
        open_ray(bundle, Path(store), Options("cpu"), cluster) as engine,
    ):
        scan(counted(Inputs([Path(images)]).items()), file, engine, on_item=count_record)
    sys.stdout.write(f"{ahead}\n")


def actors() -> list[int]:
    """Process ids of the actors that examine on clusters of this process."""
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit() and _is_ours(folder)]


def _session(leader: int) -> list[int]:
    """The processes of one session, however deep."""
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit() and _leader(folder) == leader]


def _leader(folder: Path) -> int | None:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[3])
    except (OSError, IndexError):  # it ended meanwhile
        return None


def _is_ours(folder: Path) -> bool:
    try:
        title = (folder / "cmdline").read_bytes()
        environment = (folder / "environ").read_bytes()
    except OSError:  # it ended meanwhile
        return False
    return title.startswith(b"ray::MapWorker") and os.environ["RAY_AUTH_TOKEN"].encode() in environment


def _wait_for(address: str, head: subprocess.Popen[bytes]) -> None:
    done = subprocess.run([str(_RAY), "health-check", f"--address={address}"], capture_output=True, check=False)
    while done.returncode:
        assert head.poll() is None, "Ray did not start"
        done = subprocess.run([str(_RAY), "health-check", f"--address={address}"], capture_output=True, check=False)
