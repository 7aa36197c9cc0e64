"""The running hub as a process: killed without warning, started again, it finishes everything and nothing twice."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from manyheads_hub.accounts.tables import InvitationRow
from manyheads_hub.auth import authenticate
from manyheads_hub.bundles import queries
from manyheads_hub.bundles import service as bundles
from manyheads_hub.contributors import invitations
from manyheads_hub.hub import Hub
from manyheads_hub.serving import do_chores
from manyheads_hub.tables import HeadRow, JobRow, UploadRow
from manyheads_hub.webhooks import service as webhooks
from manyheads_shared import clock
from manyheads_shared.digest import digest_bytes
from tests.support.grounds import EMBEDDED, PRODUCTION
from tests.support.live_hub import MAINTAINER, Api, Owner, find, let_leases_run_out, package, running, submit, wait_until
from tests.support.makers import TIME, make_generator
from tests.support.tuf_client import fetch_target, open_updater

DATA = bytes(range(256)) * 40_000  # about 10 MB
MAIN = "from manyheads_hub.cli import main; main()"


on_both_grounds = pytest.mark.parametrize("ground", [EMBEDDED, PRODUCTION], indirect=True)


def state(hub: Hub, submission: str) -> str:
    return find(hub, submission).state


def check_one_sound_bundle(hub: Hub, submission: str, cache: Path) -> None:
    """The head is there once, in the bundle that the database, TUF and its client agree on."""
    with hub.database.read() as session:
        assert len(session.scalars(select(HeadRow)).all()) == 1
        assert [row.sequence for row in queries.published(session, 10)] == [2, 1]
        info, manifest, _ = bundles.get_bundle(session, hub.blobs, 2)
        assert (queries.unpublished(session), find(hub, submission).bundle_sequence) == (None, 2)
    assert [entry.generator.title for entry in manifest.heads] == ["alpha@1"]
    found = fetch_target(open_updater(hub.storage, hub.settings.root.read_bytes(), cache))
    assert (found, info.digest) == (manifest.to_bytes(), manifest.digest)


@on_both_grounds
def test_killed_during_an_upload_it_goes_on_from_the_same_byte(hub: Hub, ada: Owner) -> None:
    folder = hub.settings.folder
    with running(folder, "--no-worker") as process:
        url = httpx.URL(process.url)
        head = (
            f"PATCH /v1/uploads/{digest_bytes(DATA)} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {ada.token}\r\n"
            f"Upload-Offset: 0\r\nUpload-Length: {len(DATA)}\r\nContent-Length: {len(DATA)}\r\n\r\n"
        )
        with socket.create_connection((url.host, url.port or 80)) as connection:
            connection.sendall(head.encode() + DATA[:6_000_000])
            wait_until(lambda: sum(file.size for file in hub.storage.list("uploads")) > 1_000_000)
            process.kill()
    with running(folder, "--no-worker") as process, Api(process.url, ada.token) as api:
        offset = api.offset(DATA)
        assert 1_000_000 < offset <= 6_000_000
        api.append(digest_bytes(DATA), DATA[offset:], offset=offset, length=len(DATA)).raise_for_status()
        assert hub.blobs.read(digest_bytes(DATA)) == DATA


@on_both_grounds
def test_killed_during_an_evaluation_it_evaluates_again(hub: Hub, ada: Owner, tmp_path: Path) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    with running(hub.settings.folder) as process:
        wait_until(lambda: state(hub, submission) == "evaluating")
        time.sleep(0.5)  # somewhere on the way
        process.kill()
    let_leases_run_out(hub)
    with running(hub.settings.folder):
        wait_until(lambda: find(hub, submission).bundle_sequence)
    check_one_sound_bundle(hub, submission, tmp_path / "client")


@on_both_grounds
def test_killed_while_publishing_it_publishes_once(hub: Hub, ada: Owner, tmp_path: Path) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))

    def is_publishing() -> bool:
        with hub.database.read() as session:
            return queries.unpublished(session) is not None or queries.find(session, 2) is not None

    with running(hub.settings.folder) as process:
        wait_until(is_publishing)
        process.kill()
    let_leases_run_out(hub)
    with running(hub.settings.folder):
        wait_until(lambda: find(hub, submission).bundle_sequence)
        wait_until(lambda: not open_jobs(hub))
    check_one_sound_bundle(hub, submission, tmp_path / "client")


def open_jobs(hub: Hub) -> int:
    with hub.database.read() as session:
        return len(session.scalars(select(JobRow).where(JobRow.state.in_(("queued", "leased")))).all())


def test_asked_to_stop_it_ends_in_order_and_leaves_nothing_leased(hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    timestamp = "tuf/metadata/timestamp.json"
    before = hub.storage.read(timestamp)
    with running(hub.settings.folder) as process:
        wait_until(lambda: state(hub, submission) == "evaluating")
        wait_until(lambda: hub.storage.read(timestamp) != before)  # signed again at the start
        assert process.stop() == 0
    with hub.database.read() as session:
        assert "leased" not in set(session.scalars(select(JobRow.state)))


def test_a_port_that_is_taken_is_told(hub: Hub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from manyheads_hub.cli import main; main()",
                "serve",
                str(hub.settings.folder),
                "--port",
                port,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, "choose another --port" in done.stderr) == (2, True)


def test_the_web_process_loads_no_torch(hub: Hub) -> None:
    code = "import sys, manyheads_hub.serving; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_an_earlier_version_left_of_uploads_under_way_is_cleared_away_and_no_blob_is(hub: Hub) -> None:
    hub.storage.write(f"blobs/partial/1/{'0' * 64}", b"half an object")
    before = len(list(hub.storage.list("blobs")))
    do_chores(hub)
    assert len(list(hub.storage.list("blobs"))) == before - 1
    assert list(hub.storage.list("blobs/partial")) == []


def test_messages_and_invitations_are_dropped_once_long_settled_and_what_still_waits_is_kept(hub: Hub) -> None:
    long_ago, now = "2026-01-01T00:00:00Z", clock.now()
    with hub.database.write() as session:
        hook = webhooks.add(session, MAINTAINER, "https://lab.example/hook", ["head.yanked"])
        for finished, state in ((long_ago, "delivered"), (now, "dead"), (None, "waiting")):
            row = webhooks.test(session, MAINTAINER, hook.id)
            row.created, row.finished, row.state = long_ago, finished, state
        for owner, expires in (("bob", long_ago), ("cem", now)):
            invitations.invite(session, MAINTAINER, owner, [])
            session.scalars(select(InvitationRow).where(InvitationRow.owner == owner)).one().expires = expires
    do_chores(hub)
    with hub.database.read() as session:
        assert sorted(row.state for row in webhooks.deliveries(session)) == ["dead", "waiting"]
        assert session.scalars(select(InvitationRow.owner)).all() == ["cem"]


def test_a_chore_that_fails_keeps_no_other_from_being_done(hub: Hub, ada: Owner) -> None:
    with hub.database.write() as session:
        contributor = authenticate(session, ada.token).contributor_id
        session.add(UploadRow(contributor_id=contributor, digest=digest_bytes(DATA), length=9, created=TIME, completed=None))
    hub.storage.delete("tuf/metadata/timestamp.json")  # nothing can be signed again
    do_chores(hub)
    with hub.database.read() as session:
        assert session.scalars(select(UploadRow)).all() == []
