"""Sessions, versions, and migrations that make exactly the tables the code declares."""

from collections.abc import Iterator
from pathlib import Path

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
from manyheads_hub.hub import open_hub
from manyheads_hub.migrations.run import alembic_config, upgrade
from manyheads_hub.tables import ContributorRow, GeneratorRow, Table
from manyheads_shared.errors import UsageError
from tests.support.live_hub import MAINTAINER
from tests.support.makers import TIME


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


def test_owners_tokens_keys_and_heads_of_0002_go_on_working(tmp_path: Path) -> None:
    database = Database(tmp_path / "hub.sqlite")
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
    database.close()


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
