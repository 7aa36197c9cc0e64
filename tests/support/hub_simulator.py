"""A hub in memory that serves signed TUF metadata and bundles, over a function call or real HTTP, and can be told to lie.

It has every key, as the worst attacker would, so a lie can be as well signed as it likes. `requests` lists what was asked for.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from manyheads_client.fetch import Fetcher
from manyheads_shared.api import TUF_METADATA_PREFIX, TUF_TARGETS_PREFIX
from manyheads_shared.bundle import BUNDLE_TARGET, object_target
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.errors import HubRefusedError, HubUnreachableError
from manyheads_shared.keys import generate_key
from tests.support.makers import MadeBundle, make_bundle

URL = "http://hub.test"
ROLES = ("root", "targets", "snapshot", "timestamp")
_THRESHOLDS = {"root": 2, "targets": 2, "snapshot": 1, "timestamp": 1}
_ENDLESS_CHUNK = b"\0" * (1 << 16)
_TRICKLE_SECONDS = 0.05  # a byte

Files = dict[str, bytes]


class HubSimulator(Fetcher):
    """An honest hub until one of the methods below `lies` is called."""

    def __init__(self, bundle: MadeBundle | None = None) -> None:
        self.files: Files = {}  # by path below the hub's address
        self.requests: list[str] = []
        self.connections = 0  # over HTTP
        self.moved: dict[str, str] = {}  # paths answered by another address
        self.endless: set[str] = set()  # paths that never end
        self.stalled: set[str] = set()  # paths that trickle
        self.broken: dict[str, int] = {}  # path -> bytes after which the connection breaks, once
        self.chunk_bytes = 1 << 14
        self.chunk_pause_seconds = 0.0
        self._lock = Lock()
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        self.signers: dict[str, list[CryptoSigner]] = {}
        self.signed: dict[str, Any] = {
            "root": Root(expires=expires, consistent_snapshot=True),
            "targets": Targets(expires=expires),
            "snapshot": Snapshot(expires=expires),
            "timestamp": Timestamp(expires=expires),
        }
        for role in ROLES:
            self._make_keys(role)
        for role in ("targets", "snapshot", "timestamp"):
            self.signed[role].version = 0
        self.write("root")
        self.root_bytes = self.files[f"{TUF_METADATA_PREFIX}/1.root.json"]
        self.bundle = bundle or replace(_first_bundle(), objects=dict(_first_bundle().objects))
        self.publish(self.bundle)

    # honest work

    def publish(self, bundle: MadeBundle) -> None:
        """Publish a bundle: its files, then targets, snapshot and timestamp."""
        self.bundle = bundle
        for digest, data in bundle.objects.items():
            self.put(object_target(digest), data)
        self.put(BUNDLE_TARGET, bundle.data)
        self.bump("targets")

    def publish_next(self, *names: str, **changes: Any) -> MadeBundle:
        """Publish the next bundle by the same owner, on the same primary."""
        old = self.bundle
        same: dict[str, Any] = {"primary_bytes": old.objects[old.manifest.primary], "owner": old.owner, "hub": old.hub}
        bundle = make_bundle(names or ("alpha", "beta"), sequence=old.manifest.sequence + 1, **same | changes)
        self.publish(bundle)
        return bundle

    def put(self, target: str, data: bytes) -> None:
        """Serve a target and name it in the (yet unsigned) targets role."""
        self.signed["targets"].targets[target] = TargetFile.from_data(target, data, ["sha256"])
        self.files[target_path(target, data)] = data

    def bump(self, role: str) -> None:
        """Raise the version of a role and of those that name it, and sign them."""
        for each in ROLES[ROLES.index(role) :]:
            self.signed[each].version += 1
            self.write(each)

    def write(self, role: str, signers: list[CryptoSigner] | None = None) -> None:
        """Sign a role as it is now and serve it."""
        signed = self.signed[role]
        if role == "snapshot":
            signed.meta["targets.json"] = self._meta("targets")
        if role == "timestamp":
            signed.snapshot_meta = self._meta("snapshot")
        self.write_as_is(role, signers)

    def write_as_is(self, role: str, signers: list[CryptoSigner] | None = None) -> None:
        """Sign a role without bringing what it names up to date."""
        signed = self.signed[role]
        metadata = Metadata(signed)
        for signer in self.signers[role] if signers is None else signers:
            metadata.sign(signer, append=True)
        self.files[metadata_path(role, signed.version)] = metadata.to_bytes()

    def rotate_keys(self, *roles: str) -> None:
        """Give roles new keys in a new root, signed by the old root keys and the new."""
        old = list(self.signers["root"])
        for role in roles:
            for key_id in list(self.signed["root"].roles[role].keyids):
                self.signed["root"].revoke_key(key_id, role)
            self._make_keys(role)
        self.signed["root"].version += 1
        self.write("root", [*old, *(s for s in self.signers["root"] if s not in old)])

    # lies

    def replay(self, files: Files) -> None:
        """Serve an earlier state, every file of it honestly signed. `files` is a copy of `self.files` made then."""
        self.files = dict(files)

    def roll_back(self, role: str) -> None:
        """Name an older version of a role, in metadata that is new and well signed otherwise."""
        if role == "root":  # the old root under the next number
            self.files[metadata_path("root", self.signed["root"].version + 1)] = self.root_bytes
        else:
            self.signed[role].version -= 1
            self.write(role)
            above = ROLES.index(role) + 1
            if above < len(ROLES):
                self.bump(ROLES[above])

    def expire(self, role: str, moment: datetime | None = None) -> None:
        """Sign a role with a date in the past."""
        self.signed[role].expires = moment or datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        self.bump(role)

    def forge(self, role: str, key_count: int = 2) -> None:
        """Sign the next version of a role with keys of our own making; `key_count` 0 leaves it unsigned."""
        self.bump(role)
        self.write(role, [generate_key() for _ in range(key_count)])
        for each in ROLES[ROLES.index(role) + 1 :]:
            self.write(each)

    def under_sign(self, role: str) -> None:
        """Sign the next version of a role with one key where two are asked for."""
        self.bump(role)
        self.write(role, self.signers[role][:1])
        for each in ROLES[ROLES.index(role) + 1 :]:
            self.write(each)

    def mix(self, role: str, files: Files) -> None:
        """Serve an earlier file of a role under its newest name; `files` is a copy of `self.files` made then."""
        newest = metadata_path(role, self.signed[role].version)
        self.files[newest] = files[metadata_path(role, self.signed[role].version - 1)]

    def fast_forward(self) -> None:
        """Sign timestamp and snapshot with versions that leave no room for honest ones."""
        for role in ("snapshot", "timestamp"):
            self.signed[role].version = 2**31
            self.write(role)

    def corrupt(self, target: str) -> None:
        """Serve a target with one byte changed."""
        path = self.path_of(target)
        data = bytearray(self.files[path])
        data[len(data) // 2] ^= 1
        self.files[path] = bytes(data)

    def swap_files(self, one: str, other: str) -> None:
        """Serve each of two targets under the other's name."""
        a, b = self.path_of(one), self.path_of(other)
        self.files[a], self.files[b] = self.files[b], self.files[a]

    def drop(self, target: str, *, unsigned: bool) -> None:
        """Lose a target: from the signed list, or only from the disk."""
        if unsigned:
            del self.signed["targets"].targets[target]
            self.bump("targets")
        else:
            del self.files[self.path_of(target)]

    def publish_changed(self, **changes: Any) -> None:
        """Publish the bundle with a manifest that was changed and signed again, next number."""
        manifest = self.bundle.manifest
        fields = {"sequence": manifest.sequence + 1} | changes
        self.publish(replace(self.bundle, manifest=manifest.model_copy(update=fields)))

    # serving

    def stream(self, url: str, offset: int = 0) -> Iterator[bytes]:
        """The fetcher's side, without a network."""
        path = url.removeprefix(URL)
        data = self.answer(path)
        if data is None:
            raise HubRefusedError(404, "Not Found", f"{url} is not there")
        yield from self.chunks(path, data, offset)

    def answer(self, path: str) -> bytes | None:
        """Note the request and return what it is answered with."""
        with self._lock:
            self.requests.append(path)
        return self.files.get(path)

    def chunks(self, path: str, data: bytes, offset: int) -> Iterator[bytes]:
        """The body of an answer, as truthful as it was told to be."""
        while path in self.endless:
            yield _ENDLESS_CHUNK
        for i in range(len(data) if path in self.stalled else 0):
            time.sleep(_TRICKLE_SECONDS)
            yield data[i : i + 1]
        with self._lock:
            limit = self.broken.pop(path, len(data))
        for start in range(offset, min(limit, len(data)), self.chunk_bytes):
            time.sleep(self.chunk_pause_seconds)
            yield data[start : min(start + self.chunk_bytes, limit)]
        if limit < len(data):
            raise HubUnreachableError(f"{path}: the connection broke")

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve over HTTP on loopback; yields the address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def path_of(self, target: str) -> str:
        """The served path of a target, by its signed digest."""
        digest = Digest("sha256:" + self.signed["targets"].targets[target].hashes["sha256"])
        return _target_path(target, digest)

    def targets_requested(self) -> list[str]:
        """Requests for target files, without those for metadata."""
        return [path for path in self.requests if path.startswith(TUF_TARGETS_PREFIX)]

    def _make_keys(self, role: str) -> None:
        threshold = _THRESHOLDS[role]
        self.signers[role] = [generate_key() for _ in range(threshold + (role == "root"))]
        for signer in self.signers[role]:
            self.signed["root"].add_key(signer.public_key, role)
        self.signed["root"].roles[role].threshold = threshold

    def _meta(self, role: str) -> MetaFile:
        version = self.signed[role].version
        return MetaFile.from_data(version, self.files[metadata_path(role, version)], ["sha256"])


@cache
def _first_bundle() -> MadeBundle:
    """Made once: it takes longer than most tests."""
    return make_bundle()


def metadata_path(role: str, version: int) -> str:
    """Where a version of a role is served."""
    prefix = "" if role == "timestamp" else f"{version}."
    return f"{TUF_METADATA_PREFIX}/{prefix}{role}.json"


def target_path(target: str, data: bytes) -> str:
    """Where a target is served: consistent snapshots put the digest before the name."""
    return _target_path(target, digest_bytes(data))


def _target_path(target: str, digest: Digest) -> str:
    folder, slash, name = target.rpartition("/")
    return f"{TUF_TARGETS_PREFIX}/{folder}{slash}{hex_of(digest)}.{name}"


def _handler(hub: HubSimulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            hub.connections += 1

        def do_GET(self) -> None:
            if (address := hub.moved.get(self.path)) is not None:
                self.send_response(307)
                self.send_header("Location", address)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data = hub.answer(self.path)
            if data is None:
                self.send_error(404)
                return
            offset = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if offset else 200)
            if self.path in hub.endless or self.path in hub.stalled:
                self.send_header("Connection", "close")
            else:
                self.send_header("Content-Length", str(len(data) - offset))
            self.end_headers()
            self.close_connection = self.path in hub.endless or self.path in hub.stalled
            try:
                for chunk in hub.chunks(self.path, data, offset):
                    self.wfile.write(chunk)
            except (BrokenPipeError, ConnectionResetError, HubUnreachableError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    return Handler
