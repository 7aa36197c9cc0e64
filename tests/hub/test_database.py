"""Sessions, versions, and migrations that make exactly the tables the code declares."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from manyheads_hub.auth import issue_token
from manyheads_hub.creation import check_new_hub, create_hub
from manyheads_hub.database import Database
from manyheads_hub.hub import open_hub
from manyheads_hub.migrations.run import alembic_config, upgrade
from manyheads_hub.tables import ContributorRow, SubmissionRow, Table, TokenRow
from manyheads_shared.errors import UsageError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "hub.sqlite")
    upgrade(database)
    yield database
    database.close()


def test_the_migrations_make_the_declared_tables(database: Database) -> None:
    with database.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    database.check_version()


def test_a_hub_of_an_earlier_version_is_brought_up_to_date_when_it_is_opened(tmp_path: Path) -> None:
    create_hub(check_new_hub(tmp_path / "hub", name="lab", suite=None))
    old = Database(tmp_path / "hub" / "hub.sqlite")
    old.path.unlink()
    with old.writer.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.execute(text("INSERT INTO contributors (owner, key_id, public_key, enrolled) VALUES ('ada', 'k', 'p', 't')"))
    old.close()
    with open_hub(tmp_path / "hub") as hub, hub.database.read() as session:
        assert session.scalars(select(ContributorRow.owner)).all() == ["ada"]


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_submissions_made_before_challenges_stay_and_still_block_their_version(tmp_path: Path, revision: str) -> None:
    old = Database(tmp_path / "hub.sqlite")
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
    old.close()


SUBMITTED = (
    "INSERT INTO contributors (id, owner, key_id, public_key, enrolled) VALUES (1, 'ada', 'k', 'p', 't')",
    "INSERT INTO primaries (id, digest, name, version, architecture, size_bytes, added) VALUES (1, 'd', 'n', '1', 'a', 1, 't')",
    (
        "INSERT INTO submissions (id, contributor_id, generator, version, owner, level, head, 'primary', owner_statement,"
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


def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        issue_token(session, contributor_id=7)


def test_a_token_is_stored_only_as_its_hash(database: Database) -> None:
    with database.write() as session:
        session.add(ContributorRow(id=1, owner="ada", key_id="k", public_key="p", enrolled="t"))
        session.flush()
        token = issue_token(session, 1)
    with database.read() as session:
        row = session.scalars(select(TokenRow)).one()
    assert token not in (row.sha256, row.created, row.expires)
    assert len(token) == 3 + 43
    assert token.encode() not in database.path.read_bytes()


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
    database = Database(path)
    with pytest.raises(UsageError, match="restore it from a copy"):
        database.check_version()
    database.close()
