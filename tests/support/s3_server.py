"""An S3 server of the tests' own: OpenStack Swift from the package index, four processes on loopback, data on disk.

Swift lives in an environment of its own, outside the tree (its requirements are not ours), installed once:
~/.cache/manyheads/swift-VERSION. Its folder must take user attributes: ext4, xfs, btrfs or tmpfs.
"""

import base64
import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from manyheads_hub.storage.location import S3Location
from tests.support.memory_folder import new_memory_folder
from tests.support.ports import free_ports

VERSION = "2.38.3"
ACCESS_KEY, BUCKET = "test:tester", "manyheads"  # Swift's keys are ACCOUNT:USER
START_SECONDS = 60.0
SETTLE_SECONDS = 0.7  # for the backends to finish, or give up, what the front had asked them
BACKENDS = ("account", "container", "object")

RINGS = """
import sys
from swift.common.ring import RingBuilder
folder, *ports = sys.argv[1:]
for name, port in zip(("account", "container", "object"), map(int, ports)):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1",
                     "replication_port": port, "device": "d1", "weight": 1.0, "meta": ""})
    builder.rebalance(seed="1")
    builder.get_ring().save(f"{folder}/{name}.ring.gz")
"""

COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}/etc
devices = {folder}/data
mount_check = false
disable_fallocate = true
workers = 0
user = {user}
log_level = WARNING
recon_cache_path = {folder}/cache
max_clients = 1024
"""

BACKEND = """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
container_update_timeout = 60
conn_timeout = 10
node_timeout = 60
"""

PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
node_timeout = 60
# or a backend that starts later than the front is passed over for a minute
error_suppression_limit = 1000000
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
dns_compliant_bucket_names = true
max_upload_part_num = 10000
[filter:tempauth]
use = egg:swift#tempauth
user64_{account}_{user} = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
[filter:symlink]
use = egg:swift#symlink
"""


class S3Server:
    """A server with one bucket. Its keys are in the environment, where boto3 looks for them."""

    def __init__(self, environment: Path, folder: Path, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._environment, self._folder = environment, folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def new_location(self, *, presigned_downloads: bool = False) -> S3Location:
        """Return a place of its own in the bucket."""
        prefix = f"hubs/{secrets.token_hex(6)}"
        return S3Location(BUCKET, prefix, self.endpoint, "us-east-1", presigned_downloads=presigned_downloads)

    def start(self) -> None:
        """Start what does not run; returns once the bucket is there."""
        for name in (*BACKENDS, "proxy"):
            self._processes[name] = self._start(name)
        self._make_bucket()

    def stop(self) -> None:
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in self._processes.values():
            process.wait(30)

    def kill(self) -> None:
        """Kill it. Requests under way are cut at once, and what they had begun is finished or never was.

        The front goes first and the backends a moment later: Swift enters a new object in its listing after it was written,
        and one killed in between has an object that no listing shows. S3 promises that this never happens.
        """
        self._end("proxy")
        time.sleep(SETTLE_SECONDS)
        for name in BACKENDS:
            self._end(name)

    def _end(self, name: str) -> None:
        self._processes[name].kill()
        self._processes[name].wait(30)

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        with (self._folder / f"log/{name}").open("a") as log:
            command = [self._environment / f"bin/swift-{name}-server", self._folder / f"etc/{name}-server.conf"]
            return subprocess.Popen([self._environment / "bin/python", *command], stdout=log, stderr=log)

    def _make_bucket(self) -> None:
        """Make the bucket as soon as the server answers; one that is there stays."""
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=5)
        client = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", config=config)
        deadline = time.monotonic() + START_SECONDS
        while True:
            logs = "".join(path.read_text() for path in (self._folder / "log").iterdir())
            assert all(process.poll() is None for process in self._processes.values()), logs
            assert time.monotonic() < deadline, f"the S3 server does not come up\n{logs}"
            try:
                client.create_bucket(Bucket=BUCKET)
            except client.exceptions.BucketAlreadyOwnedByYou:
                break
            except (BotoCoreError, ClientError):
                time.sleep(0.1)
            else:
                break
        client.close()


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Run a server."""
    environment = _install()
    folder = new_memory_folder("manyheads-s3-")
    secret = secrets.token_hex(16)
    mine = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": secret, "AWS_EC2_METADATA_DISABLED": "true"}
    os.environ |= mine
    try:
        server = S3Server(environment, folder, _configure(environment, folder, secret))
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
        for name in mine:
            del os.environ[name]


def _install() -> Path:
    """Return Swift's environment; the first time it is made, which takes some seconds."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "manyheads"
    home.mkdir(parents=True, exist_ok=True)
    environment = home / f"swift-{VERSION}"
    with (home / "swift.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of the tests at once
        if not (environment / ".installed").exists():
            _run(sys.executable, "-m", "venv", "--clear", environment)
            pip = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run(*pip, f"swift=={VERSION}", "PyECLib>=1.7")  # these wheels carry liberasurecode
            (environment / ".installed").touch()
    return environment


def _configure(environment: Path, folder: Path, secret: str) -> int:
    """Write the configuration and the rings; return the public port."""
    for name in ("etc", "data/d1", "cache", "log"):
        (folder / name).mkdir(parents=True)
    _check_attributes(folder / "data")
    ports = dict(zip((*BACKENDS, "proxy"), free_ports(4), strict=True))
    (folder / "etc/swift.conf").write_text(
        f"[swift-hash]\nswift_hash_path_suffix = {secrets.token_hex(16)}\n"
        "[storage-policy:0]\nname = default\ndefault = yes\npolicy_type = replication\n"
    )
    owner = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    account, user = (base64.b64encode(part.encode()).decode().rstrip("=") for part in ACCESS_KEY.split(":"))
    for name, port in ports.items():
        body = PROXY.format(account=account, user=user, secret=secret) if name == "proxy" else BACKEND.format(name=name)
        common = COMMON.format(port=port, folder=folder, user=owner)
        (folder / f"etc/{name}-server.conf").write_text(common + body)
    _run(environment / "bin/python", "-c", RINGS, folder / "etc", *(ports[name] for name in BACKENDS))
    return ports["proxy"]


def _check_attributes(folder: Path) -> None:
    try:
        os.setxattr(folder, "user.swift.metadata", b"x" * 512)
    except OSError as error:
        raise AssertionError(
            f"no user attributes on {folder} ({error}): set TMPDIR to a folder on ext4, xfs or btrfs"
        ) from error


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
