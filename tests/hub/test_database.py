"""Sessions, locks, versions, and migrations that make exactly the tables the code declares; on SQLite and PostgreSQL."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from manyheads_hub.accounts.tables import AccountRow, TokenRow
from manyheads_hub.accounts.tokens import issue_token
from manyheads_hub.audit import log
from manyheads_hub.audit.chain import EMPTY
from manyheads_hub.auth import authenticate, digest_secret, to_caller
from manyheads_hub.catalogue.queries import signing_keys
from manyheads_hub.creation import check_new_hub, create_hub
from manyheads_hub.database import Database
from manyheads_hub.engines.postgres import PostgresServer
from manyheads_hub.engines.sqlite import SqliteServer
from manyheads_hub.errors import UnavailableError
from manyheads_hub.hub import open_hub
from manyheads_hub.migrations.run import alembic_config, upgrade
from manyheads_hub.tables import ContributorRow, GeneratorRow, PrimaryRow, SubmissionRow, Table, UploadRow
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import UsageError
from tests.support.grounds import DATABASES, new_database, postgres
from tests.support.live_hub import MAINTAINER
from tests.support.makers import TIME

CONTRIBUTOR = "INSERT INTO contributors (owner, key_id, public_key, enrolled) VALUES ('ada', 'k', 'p', 't')"
UPLOAD = "INSERT INTO uploads (contributor_id, digest, length, created) VALUES (1, 'sha256:a', 2000000000, 't')"
PRIMARY = (
    "INSERT INTO primaries (digest, name, version, architecture, size_bytes, added) VALUES ('sha256:p', 'n', '1', 'a', 7, 't')"
)
OLD_ROWS = {
    "0001": [CONTRIBUTOR, UPLOAD, PRIMARY.replace("added)", "added, scores)").replace("'t')", "'t', 'sha256:s')")],
    "0002": [CONTRIBUTOR, UPLOAD, PRIMARY, "INSERT INTO offers (contributor_id, made) VALUES (1, 't')"],
}


@pytest.fixture(params=DATABASES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = new_database(request.param, tmp_path)
    yield database
    database.close()


@pytest.fixture
def database(empty: Database) -> Database:
    upgrade(empty)
    return empty


def test_the_migrations_make_the_declared_tables(database: Database) -> None:
    with database.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    database.check_version()


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_the_tables_of_every_earlier_revision_are_brought_up_to_date_with_what_is_in_them(
    empty: Database, revision: str
) -> None:
    with empty.writer.begin() as connection:
        command.upgrade(alembic_config(connection), revision)
        for statement in OLD_ROWS[revision]:
            connection.execute(text(statement))
    upgrade(empty)
    empty.check_version()
    with empty.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    with empty.read() as session:
        assert session.scalars(select(ContributorRow.owner)).all() == ["ada"]
        assert session.scalars(select(PrimaryRow.size_bytes)).all() == [7]
        assert session.scalars(select(UploadRow.length)).all() == [2_000_000_000]


def test_a_hub_of_an_earlier_version_is_brought_up_to_date_when_it_is_opened(tmp_path: Path) -> None:
    create_hub(check_new_hub(tmp_path / "hub", name="lab", suite=None))
    path = tmp_path / "hub" / "hub.sqlite"
    path.unlink()
    old = Database(SqliteServer(path))
    with old.writer.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.execute(text(CONTRIBUTOR))
    old.close()
    with open_hub(tmp_path / "hub") as hub, hub.database.read() as session:
        assert session.scalars(select(ContributorRow.owner)).all() == ["ada"]


def test_two_replicas_that_start_at_once_migrate_once(empty: Database) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(upgrade, [empty, empty]))
    empty.check_version()


def test_a_size_may_pass_two_gigabytes(database: Database) -> None:
    with database.write() as session:
        session.execute(text(CONTRIBUTOR))
        session.add(UploadRow(contributor_id=1, digest=digest_bytes(b""), length=1 << 40, created="t", completed=None))
    with database.read() as session:
        assert session.scalars(select(UploadRow.length)).all() == [1 << 40]


HEAD_OF_0002: dict[str, object] = {
    "contributor_id": 3,
    "generator": "alpha",
    "version": "1",
    "owner": "ada",
    "level": "instance",
    "primary": "p",
    "owner_statement": "s",
    "proofs": "[]",
}
ROWS_OF_0002: dict[str, dict[str, object]] = {
    "contributors": {"id": 3, "owner": "ada", "key_id": "k3", "public_key": "PEM", "enrolled": TIME},
    "tokens": {"contributor_id": 3, "sha256": digest_secret("mh_old"), "created": TIME, "expires": "2099-01-02T03:04:05Z"},
    "primaries": {"digest": "p", "name": "tiny", "version": "1", "architecture": "a", "size_bytes": 1, "added": TIME},
    "submissions": HEAD_OF_0002
    | {"id": "5f0c", "head": "h", "state": "accepted", "reasons": "[]", "created": TIME, "updated": TIME},
    "heads": HEAD_OF_0002
    | {"submission_id": "5f0c", "digest": "h", "state": "listed", "hub_statement": "u", "evaluation": "{}", "accepted": TIME},
}


def test_owners_tokens_keys_and_heads_of_0002_go_on_working(empty: Database) -> None:
    database = empty
    with database.writer.begin() as connection:
        command.upgrade(alembic_config(connection), "0002")
        for table, row in ROWS_OF_0002.items():
            names = ", ".join(f'"{name}"' for name in row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    upgrade(database)
    with database.write() as session:
        holder = authenticate(session, "mh_old")
        assert (holder.name, holder.role) == ("ada", "owner")
        assert holder.scopes == {"read", "submit", "account"}
        assert to_caller(session, holder).key_id == "k3"
        assert {digest: key.key_id for digest, key in signing_keys(session).items()} == {"h": "k3"}
        assert log.verify(session) == EMPTY
        log.record(session, holder.actor, "session.opened", "ada")
        assert log.verify(session).sequence == 1


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_submissions_made_before_challenges_stay_and_still_block_their_version(empty: Database, revision: str) -> None:
    old = empty
    with old.writer.begin() as connection:
        command.upgrade(alembic_config(connection), revision)
        for statement in SUBMITTED:
            connection.execute(text(statement))
    upgrade(old)
    with old.read() as session:
        assert session.scalars(select(SubmissionRow.state)).all() == ["received"]
    for state in ("challenged", "accepted"):
        with pytest.raises(IntegrityError), old.write() as session:
            session.execute(text(SUBMITTED[-1].replace("'s1'", "'s2'").replace("'received'", f"'{state}'")))


SUBMITTED = (
    "INSERT INTO contributors (id, owner, key_id, public_key, enrolled) VALUES (1, 'ada', 'k', 'p', 't')",
    "INSERT INTO primaries (id, digest, name, version, architecture, size_bytes, added) VALUES (1, 'd', 'n', '1', 'a', 1, 't')",
    (
        'INSERT INTO submissions (id, contributor_id, generator, version, owner, level, head, "primary", owner_statement,'
        " proofs, state, reasons, created, updated)"
        " VALUES ('s1', 1, 'g', '1', 'ada', 'instance', 'h', 'd', 'o', '[]', 'received', '[]', 't', 't')"
    ),
)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    upgrade(database)
    database.check_version()


def test_a_block_that_raises_writes_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as session:
            session.add(ContributorRow(owner="ada", key_id="k", public_key="p", enrolled="t"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with database.read() as session:
        assert session.scalars(select(func.count()).select_from(ContributorRow)).one() == 0


def test_a_reader_sees_the_moment_before_a_writer_that_has_not_committed(database: Database) -> None:
    with database.write() as writing:
        writing.add(ContributorRow(owner="ada", key_id="k", public_key="p", enrolled="t"))
        writing.flush()
        with database.read() as reading:
            assert reading.scalars(select(ContributorRow)).all() == []


def test_what_a_reader_has_seen_stays_so_while_others_write(database: Database) -> None:
    with database.read() as reading:
        assert reading.scalars(select(func.count()).select_from(ContributorRow)).one() == 0
        with database.write() as writing:
            writing.execute(text(CONTRIBUTOR))
        assert reading.scalars(select(func.count()).select_from(ContributorRow)).one() == 0


def test_what_a_writer_reads_is_true_until_it_commits(database: Database) -> None:
    """Four at once count and add one: without one write at a time, two would count the same."""

    def add_one(_: int) -> None:
        with database.write() as session:
            count = session.scalars(select(func.count()).select_from(ContributorRow)).one()
            session.add(ContributorRow(owner=f"owner {count}", key_id=f"{count}", public_key="p", enrolled="t"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(40)))
    with database.read() as session:
        assert session.scalars(select(func.count()).select_from(ContributorRow)).one() == 40


def test_one_at_a_time_is_alone_and_the_next_waits(database: Database) -> None:
    waited = Event()
    with ThreadPoolExecutor(1) as pool:
        with database.alone("publish") as verify, database.alone("tuf"):
            verify()
            other = pool.submit(enter, database, waited.set)
            assert waited.wait(10)
            assert not other.done()
        assert other.result(10) == "entered"


def enter(database: Database, on_wait: Callable[[], None]) -> str:
    with database.alone("publish", on_wait):
        return "entered"


def test_whoever_is_killed_while_alone_holds_it_no_longer(database: Database) -> None:
    def die() -> None:
        with database.alone("publish"):
            os._exit(9)

    database.close()
    child = os.fork()
    if child == 0:
        die()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert enter(database, lambda: None) == "entered"


def test_a_lock_whose_connection_broke_is_told_before_the_next_step(tmp_path: Path) -> None:
    database = new_database("postgres", tmp_path)
    upgrade(database)
    with database.alone("tuf") as verify:
        with database.read() as session:
            kill = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            session.execute(text(kill))
        with pytest.raises(UnavailableError):
            verify()
    database.close()


def test_a_database_that_does_not_answer_is_told_without_a_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = postgres().new_database()
    for wrong, reason in (
        ("postgresql://hub@127.0.0.1:1/lab", "does not let us in.*is the server up"),
        (address + "x", "does not exist"),
    ):
        database = Database(PostgresServer(wrong))
        with pytest.raises(UnavailableError, match=reason):
            database.check_version()
        database.close()
    monkeypatch.setenv("PGPASSWORD", "guessed")
    database = Database(PostgresServer(address))
    with pytest.raises(UnavailableError, match="password authentication failed") as refused:
        database.check_version()
    assert "guessed" not in str(refused.value)
    database.close()


def test_a_postgres_without_a_hub_is_told(tmp_path: Path) -> None:
    database = new_database("postgres", tmp_path)
    with pytest.raises(UsageError, match="no tables of a hub"):
        database.check_version()
    database.close()


def test_a_postgres_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("manyheads_hub.engines.postgres.OLDEST", (99,))
    database = new_database("postgres", tmp_path)
    with pytest.raises(UsageError, match="expected PostgreSQL 99 or newer, got 15"):
        database.check_version()
    database.close()


def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(GeneratorRow(name="alpha", contributor_id=7))


def test_a_token_is_stored_only_as_its_hash(database: Database) -> None:
    with database.write() as session:
        account = AccountRow(name="grace", role="reviewer", opened=TIME)
        session.add(account)
        session.flush()
        token = issue_token(session, MAINTAINER, account, label="desk").token
    with database.read() as session:
        row = session.scalars(select(TokenRow)).one()
    assert token not in (row.sha256, row.created, row.expires)
    assert len(token) == 3 + 43


def test_the_tables_of_another_version_are_refused(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UsageError, match="got 9999; update manyheads"):
        database.check_version()


@pytest.mark.parametrize("content", [None, b"", b"not a database at all" * 100])
def test_a_missing_or_foreign_database_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "other.sqlite"
    if content is not None:
        path.write_bytes(content)
    database = Database(SqliteServer(path))
    with pytest.raises(UsageError, match="restore it from a copy"):
        database.check_version()
    database.close()
