"""Hubs that really run: a folder with a published primary, the API on a socket, a contributor who uploads and submits."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

import httpx
import uvicorn
from fastapi import FastAPI
from securesystemslib.signer import CryptoSigner
from sqlalchemy import update

from manyheads_hub.accounts import service as accounts
from manyheads_hub.accounts import tokens
from manyheads_hub.app import create_app
from manyheads_hub.audit.log import Actor
from manyheads_hub.auth import Caller, authenticate, to_caller
from manyheads_hub.contributors import service as contributors
from manyheads_hub.creation import check_new_hub, create_hub
from manyheads_hub.evaluations.worker import Worker, finish_job
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.primaries import service as primaries
from manyheads_hub.settings import Settings
from manyheads_hub.submissions import service as submissions
from manyheads_hub.submissions.checks import check_offer
from manyheads_hub.tables import JobRow, UploadRow
from manyheads_shared.accounts import Role, Scope
from manyheads_shared.api import LENGTH_HEADER, OFFSET_HEADER, SubmissionInfo, SubmissionRequest
from manyheads_shared.artifact import PrimaryArtifact, read_primary
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.keys import generate_key, public_pem
from manyheads_shared.manifest import Generator
from manyheads_shared.statements import OwnerPredicate, sign_owner_statement
from tests.support.makers import TIME
from tests.support.world import draw_proofs, trained_head, trained_primary, write_suite

READY = "listening on "
MAINTAINER = Actor("folder:test")


@dataclass(frozen=True)
class Owner:
    """A contributor: their name, key and token."""

    name: str
    key: CryptoSigner
    token: str


@dataclass(frozen=True)
class Package:
    """What an owner submits."""

    head: bytes
    statement: bytes
    proofs: tuple[bytes, ...]

    @property
    def files(self) -> tuple[bytes, ...]:
        return (self.head, self.statement, *self.proofs)

    @property
    def request(self) -> dict[str, object]:
        head, statement, *proofs = (digest_bytes(data) for data in self.files)
        return {"head": head, "owner_statement": statement, "proofs": proofs}


@cache
def _template() -> Path:
    """A hub with a suite and a published primary, made once and copied."""
    root = Path(mkdtemp(prefix="manyheads-hub-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    suite = write_suite(root / "suite")
    create_hub(check_new_hub(root / "hub", name="test-hub", suite=suite))
    with open_hub(root / "hub") as hub:
        publish_primary(hub, trained_primary())
    return root / "hub"


def make_hub(folder: Path) -> Path:
    """Make a hub with a suite and bundle 1: the primary, no heads."""
    return Path(shutil.copytree(_template(), folder))


def replica(hub: Hub, name: str) -> Path:
    """The folder of another replica: what an operator copies to another machine, and nothing that changes."""
    folder = hub.settings.folder.with_name(name)
    folder.mkdir()
    for entry in ("hub.toml", "root.json", "policy.json"):
        shutil.copy(hub.settings.folder / entry, folder)
    shutil.copytree(hub.settings.keys, folder / "keys")
    return folder


def publish_primary(hub: Hub, data: bytes) -> None:
    """Publish a primary as the command does."""
    hub.blobs.put(data)
    with hub.database.write() as session:
        job = primaries.add(session, MAINTAINER, read_primary(data), len(data))
    finish_job(hub, job)


def enrol(hub: Hub, name: str = "ada", generators: Sequence[str] = ("alpha", "beta"), key: CryptoSigner | None = None) -> Owner:
    """Enrol an owner."""
    key = key or generate_key()
    with hub.database.write() as session:
        token = contributors.enrol(session, MAINTAINER, name, public_pem(key.public_key), generators).token
    return Owner(name, key, token)


def issue(hub: Hub, name: str, role: Role, *scopes: Scope) -> str:
    """Open an account and issue it a token: all that its role may hold, or the scopes named."""
    with hub.database.write() as session:
        account = accounts.open_account(session, MAINTAINER, name, role)
        return tokens.issue_token(session, MAINTAINER, account, label="desk", scopes=scopes or None).token


def package(
    owner: Owner,
    generator: Generator,
    *,
    head: bytes | None = None,
    proofs: Sequence[bytes] | None = None,
    primary: PrimaryArtifact | None = None,
) -> Package:
    """Package a trained head, or another one, for submission."""
    head = head or trained_head(generator)
    primary = primary or read_primary(trained_primary())
    predicate = OwnerPredicate(generator=generator, primary=primary.digest, created=TIME)
    statement = sign_owner_statement(digest_bytes(head), predicate, owner.key)
    return Package(head, statement, tuple(proofs or draw_proofs(generator.name)))


def hand_over(hub: Hub, owner: Owner, offer: Package) -> tuple[Caller, SubmissionRequest]:
    """Upload a package without HTTP."""
    return hand_over_files(hub, owner, offer.files), SubmissionRequest.model_validate(offer.request)


def hand_over_files(hub: Hub, owner: Owner, files: Sequence[bytes]) -> Caller:
    """Upload files without HTTP; return who did."""
    with hub.database.write() as session:
        caller = to_caller(session, authenticate(session, owner.token))
        for data in files:
            row = UploadRow(contributor_id=caller.contributor_id, digest=hub.blobs.put(data), length=len(data))
            row.created = row.completed = TIME
            session.merge(row)
    return caller


def submit(hub: Hub, owner: Owner, offer: Package) -> str:
    """Submit without HTTP; return the submission's id."""
    caller, request = hand_over(hub, owner, offer)
    checked = check_offer(hub, caller, request)
    with hub.database.write() as session:
        return submissions.receive(session, caller, checked).id


def find(hub: Hub, submission_id: str) -> SubmissionInfo:
    """Look a submission up."""
    with hub.database.read() as session:
        return submissions.get(session, submission_id)


def wait_until(condition: Callable[[], object], *, seconds: float = 120) -> None:
    """Wait for something that another thread or process brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened for {seconds:.0f} s"
        time.sleep(0.005)


def let_leases_run_out(hub: Hub) -> None:
    """Let time pass: every lease runs out, whatever waits for another try is due."""
    with hub.database.write() as session:
        session.execute(update(JobRow).where(JobRow.state == "leased").values(lease_until=0.0))
        session.execute(update(JobRow).where(JobRow.state == "queued").values(run_after=0.0))


def work(hub: Hub) -> int:
    """Do every job that is ready; return how many."""
    return Worker(hub).run(once=True)


class Api:
    """A contributor's side of the API, plain HTTP."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.http.get(path, **options)  # type: ignore[arg-type]

    def offset(self, data: bytes) -> int:
        return int(self.http.head(f"/v1/uploads/{digest_bytes(data)}").raise_for_status().headers[OFFSET_HEADER])

    def append(self, digest: Digest, body: bytes, *, offset: int, length: int) -> httpx.Response:
        headers = {OFFSET_HEADER: str(offset), LENGTH_HEADER: str(length)}
        return self.http.patch(f"/v1/uploads/{digest}", content=body, headers=headers)

    def upload(self, data: bytes) -> httpx.Response:
        return self.append(digest_bytes(data), data, offset=0, length=len(data))

    def submit(self, offer: Package) -> httpx.Response:
        for data in offer.files:
            self.upload(data).raise_for_status()
        return self.http.post("/v1/submissions", json=offer.request)

    def submission(self, submission_id: str) -> SubmissionInfo:
        return SubmissionInfo.model_validate(self.get(f"/v1/submissions/{submission_id}").raise_for_status().json())


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a hub's API from a thread, without a worker; yields its address."""
    with serving_app(create_app(Settings.read(folder))) as url:
        yield url


@contextmanager
def serving_app(app: FastAPI) -> Iterator[str]:
    """Serve an app from a thread; yields its address."""
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Process:
    """`manyheads-hub serve` as a process of its own, to be killed."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-c", "from manyheads_hub.cli import main; main()", "serve", str(folder), "--port", "0"]
        self.log = (folder.parent / f"{folder.name}.log").open("a")
        self.process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=self.log, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(READY), (line, (folder.parent / f"{folder.name}.log").read_text())
        self.url = line.removeprefix(READY).strip()

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop; return the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
        return code


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Process]:
    """Run `serve` as a process, and end it afterwards."""
    process = Process(folder, *options)
    try:
        yield process
    finally:
        process.kill()
