"""PostgreSQL (psycopg): one database for several replicas and workers, on several machines.

Locks are PostgreSQL's advisory ones. The server lets go of them when the connection ends, so a killed process holds none; one
whose machine vanished is noticed by the keep-alive packets set here.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import InterfaceError, OperationalError

from manyheads_hub.database import Verify
from manyheads_hub.errors import UnavailableError
from manyheads_shared.errors import UsageError

OLDEST = (14,)  # major version; the tests run on Debian's 15
CONNECT_SECONDS = 10
POOL_KEPT, POOL_MORE = 5, 35  # connections of one process: kept open, and as many more as the web server has threads
SESSION = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "tcp_keepalives_idle": 30,  # seconds: the server gives up a vanished machine, and its locks, after about a minute
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
        "idle_in_transaction_session_timeout": 120_000,  # ms; ours last milliseconds
        "lock_timeout": 30_000,  # ms; a writer waits this long for another, as on SQLite
        "timezone": "UTC",
    }.items()
)


class PostgresServer:
    """See `Server`."""

    def __init__(self, url: str) -> None:
        self.address = url
        driven = make_url(url).set(drivername="postgresql+psycopg")
        options = {"connect_timeout": CONNECT_SECONDS, "options": SESSION, "application_name": "manyheads-hub"}
        self._engine = create_engine(
            driven, connect_args=options, pool_size=POOL_KEPT, max_overflow=POOL_MORE, pool_pre_ping=True
        )
        self._locks = create_engine(driven, connect_args=options, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def connect(self) -> tuple[Engine, Engine]:
        """See `Server.connect`.

        A writer holds an advisory lock until its transaction ends and then reads what was committed last (READ COMMITTED):
        nobody else commits meanwhile.
        """
        event.listen(self._engine, "begin", _begin)
        reader = self._engine.execution_options(isolation_level="REPEATABLE READ")
        return reader, self._engine.execution_options(isolation_level="READ COMMITTED", writes=True)

    @contextmanager
    def try_lock(self, name: str) -> Iterator[Verify | None]:
        """See `Server.try_lock`: the lock of one connection, made for it."""
        with self._telling():
            connection = self._locks.connect()
        with connection:
            with self._telling():
                held = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_number(name)})").scalar_one()

            def verify() -> None:
                with self._telling():
                    connection.exec_driver_sql("SELECT 1")

            yield verify if held else None

    def read_revision(self, engine: Engine) -> str | None:
        """See `Server.read_revision`."""
        with self._telling(), engine.connect() as connection:
            version = connection.dialect.server_version_info or (0,)
            if version < OLDEST:
                raise UsageError(f"{self.address}: expected PostgreSQL {OLDEST[0]} or newer, got {version[0]}")
            if (encoding := connection.exec_driver_sql("SHOW server_encoding").scalar_one()) != "UTF8":
                raise UsageError(f"{self.address}: expected a database in UTF8, got {encoding}; make another one")
            if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar_one() is None:
                return None
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say in our words that the server cannot be reached, or refuses us."""
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            words = " ".join(str(error.orig).split())
            raise UnavailableError(
                f"{self.address}: PostgreSQL does not let us in ({words}). Is the address right, is the server up, and is the "
                "password in PGPASSWORD or PGPASSFILE?"
            ) from error


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_number('write')})")


def _number(name: str) -> int:
    """Return the number by which PostgreSQL knows a lock: 64 bits, signed, the same in every version of the hub."""
    return int.from_bytes(hashlib.sha256(f"manyheads {name}".encode()).digest()[:8], "big", signed=True)
