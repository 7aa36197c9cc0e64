"""A PostgreSQL of the tests' own: Debian's binaries, a temporary folder, a free port; stopped when the tests end."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.support.memory_folder import new_memory_folder

USER = "manyheads"
START_SECONDS = 60.0
LIGHT = ("-c", "fsync=off", "-c", "max_connections=200")


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"hub_{secrets.token_hex(6)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
        return self._address(name)

    def _address(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server. Its password is in PGPASSWORD while it runs, where the hub looks for it."""
    binaries = _find_binaries()
    folder = new_memory_folder("manyheads-postgres-")
    os.environ["PGPASSWORD"] = secrets.token_hex(16)
    (folder / "password").write_text(os.environ["PGPASSWORD"])
    _give_away(folder)
    server = None
    try:
        port, data = _free_port(), folder / "data"
        _run(
            [binaries / "initdb", "-D", data, "-U", USER, "--pwfile", folder / "password", "--auth", "scram-sha-256"],
            ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
        )
        with (folder.parent / f"{folder.name}.log").open("w") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", *LIGHT],
                user=_owner(),
                cwd="/",
                stdout=log,
                stderr=log,
            )
        _wait(server, port, Path(log.name))
        yield Postgres(port)
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)
            server.wait(60)
        shutil.rmtree(folder)
        folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)
        del os.environ["PGPASSWORD"]


def _find_binaries() -> Path:
    candidates = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise AssertionError("these tests need PostgreSQL's own binaries, initdb and postgres: apt-get install postgresql")


def _owner() -> str | None:
    """The user to run as: PostgreSQL refuses to run as root."""
    return "postgres" if os.geteuid() == 0 else None


def _give_away(folder: Path) -> None:
    if (owner := _owner()) is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, pwd.getpwnam(owner).pw_uid, pwd.getpwnam(owner).pw_gid)


def _run(*arguments: list[object]) -> None:
    command = [str(argument) for part in arguments for argument in part]
    done = subprocess.run(command, user=_owner(), cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert server.poll() is None, log.read_text()
        try:
            psycopg.connect(f"postgresql://{USER}@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return
