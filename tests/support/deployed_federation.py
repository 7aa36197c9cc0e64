"""A federation as it is deployed: SuperLink and SuperNodes as processes on loopback, with TLS, by our commands."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import write_certificate
from tests.support.federation import TINY, make_site
from tests.support.ports import free_ports

PROGRAMS = Path(sys.executable).parent
SECONDS = 120  # for a command to end


@dataclass(frozen=True)
class Deployed:
    """A SuperLink that listens, and whom it was told of."""

    folder: Path
    port: int
    certificate: Path

    @property
    def environment(self) -> dict[str, str]:
        quiet = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "FLWR_HOME": str(self.folder / "flower")}
        path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **quiet, "PATH": path, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}

    def flower(self, *arguments: str) -> str:
        return run([str(PROGRAMS / "flwr"), *arguments], self.environment)

    def register(self, public: Path) -> str:
        answer = self.flower("supernode", "register", str(public), "test", "--format", "json")
        return str(json.loads(answer[answer.index("{") :])["node-id"])

    def ours(self, package: str, *arguments: str) -> str:
        return run([sys.executable, "-c", f"from {package}.cli import main; main()", *arguments], self.environment)

    @contextmanager
    def joined(self, *sites: Path) -> Iterator[None]:
        """`federate join` of every site, as long as the block runs."""
        command = [sys.executable, "-c", "from manyheads_contributor.cli import main; main()", "federate", "join"]
        nodes = [start([*command, str(site)], self.environment, site.with_name("node.log")) for site in sites]
        try:
            yield
        finally:
            for node in nodes:
                node.terminate()
            for node in nodes:
                node.wait(30)

    def write_site(self, index: int, maintainer: Path) -> tuple[Path, str]:
        """An owner's site, its node known to the SuperLink; where it lies, and the node's id."""
        folder = self.folder / f"site{index}"
        (port,) = free_ports(1)
        site = make_site(
            folder,
            f"party{index}",
            maintainer,
            seed=index,
            superlink=f"localhost:{self.port}",
            certificate=str(self.certificate),
            port=port,
        )
        self.ours("manyheads_contributor", "federate", "key", str(folder / "node"))
        return site, self.register(folder / "node.pub")

    def write_plan(self, nodes: list[str]) -> Path:
        lines = [
            f"{name} = {json.dumps(value)}" for name, value in (TINY | {"round_seconds": 100, "influence_cap": 1.0}).items()
        ]
        for i, node in enumerate(nodes):
            lines += ["[[parties]]", f'name = "party{i}"', f'node = "{node}"', "max_examples = 60"]
        path = self.folder / "plan.toml"
        path.write_text("\n".join(lines) + "\n")
        return path


@contextmanager
def superlink(folder: Path) -> Iterator[Deployed]:
    """Flower's SuperLink with TLS, for nodes it was told of."""
    certificate, key = write_certificate(folder, "localhost")
    (port,) = free_ports(1)
    deployed = Deployed(folder, port, certificate)
    (folder / "flower").mkdir()
    (folder / "flower" / "config.toml").write_text(
        f'[superlink]\ndefault = "test"\n[superlink.test]\naddress = "localhost:{port}"\nroot-certificates = "{certificate}"\n'
    )
    command = [str(PROGRAMS / "flower-superlink"), "--enable-supernode-auth", "--port", str(port)]
    command += ["--ssl-ca-certfile", str(certificate), "--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]
    process = start([*command, "--disable-runtime-dependency-installation"], deployed.environment, folder / "superlink.log")
    try:
        _wait_for(deployed)
        yield deployed
    finally:
        process.terminate()
        process.wait(30)


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def start(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)


def _wait_for(deployed: Deployed) -> None:
    ends = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", deployed.port)).close()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)
        else:
            return
