"""Flower's SuperNode on an owner's machine, started so that it runs our app alone, tells nobody and trusts one SuperLink.

A SuperNode runs whatever app the SuperLink hands it. Ours is installed beforehand, in a folder that nothing can be added to
(decision 0023); another app cannot be installed there and so not run, unless the node runs as root, whom no folder stops.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from manyheads_contributor.federation.errors import NodeError
from manyheads_contributor.federation.site import SitePolicy
from manyheads_shared.errors import UsageError
from manyheads_shared.federation.messages import SITE, app_project
from manyheads_shared.files import write_atomic
from manyheads_shared.keys import PRIVATE_KEY_MODE, PUBLIC_SUFFIX

LOCKED, OPEN = 0o555, 0o755
QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}


@dataclass(frozen=True)
class NodeStart:
    """A SuperNode to start."""

    command: tuple[str, ...]
    environment: dict[str, str]  # beside what is there


def make_node_key(path: Path) -> Path:
    """Make the key by which a SuperLink knows this node: P-384, as Flower asks for. The public half goes to PATH.pub.

    Raises:
        UsageError: one of the files exists; nothing is overwritten.
    """
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    for existing in (path, public):
        if existing.exists():
            raise UsageError(f"{existing} exists; a key is never overwritten. Choose another path or move it away.")
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    shown = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    write_atomic(path, private, mode=PRIVATE_KEY_MODE)
    write_atomic(public, shown + b"\n")
    return public


def plan_start(site: Path, policy: SitePolicy) -> NodeStart:
    """What starts the SuperNode of a site.

    Raises:
        NodeError: Flower is not installed, or a file that the policy names is missing.
    """
    if importlib.util.find_spec("flwr") is None:
        raise NodeError("Flower is not installed here; install manyheads with the extra `federation`")
    for name in ("maintainer", "certificate", "node_key"):
        if not Path(getattr(policy, name)).is_file():
            raise NodeError(f"{site}: {name}: expected a file at {getattr(policy, name)}, there is none")
    programs = Path(sys.executable).parent  # Flower starts its helpers by name
    return NodeStart(
        command=(
            str(programs / "flower-supernode"),
            *("--superlink", policy.superlink),
            *("--root-certificates", policy.certificate),
            *("--auth-supernode-private-key", policy.node_key),
            *("--host", "127.0.0.1", "--port", str(policy.port)),
            *("--node-config", f'{SITE}="{site.resolve()}"'),
        ),
        environment=QUIET
        | {"FLWR_HOME": str(flower_home(policy)), "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"},
    )


def flower_home(policy: SitePolicy) -> Path:
    """Where this node's Flower keeps what it keeps."""
    return Path(policy.work) / "flower"


def install_app(policy: SitePolicy) -> None:
    """Install our app, of this very version, as the only one that this node can run.

    Raises:
        NodeError: Flower does not build or install it.
    """
    apps = flower_home(policy) / "apps"
    apps.mkdir(parents=True, exist_ok=True)
    apps.chmod(OPEN)
    with tempfile.TemporaryDirectory() as scratch:
        write_atomic(Path(scratch, "app", "pyproject.toml"), app_project().encode())
        _flower(policy, scratch, "build", "--app", "app")
        (bundle,) = Path(scratch).glob("*.fab")
        if not any(apps.glob(f"*{bundle.suffixes[-2]}")):  # both names end with the bundle's digest
            _flower(policy, scratch, "install", bundle.name)
    apps.chmod(LOCKED)


def start_node(start: NodeStart) -> None:
    """Become the SuperNode: this process is replaced and ends when the node does."""
    os.execve(start.command[0], start.command, {**os.environ, **start.environment})  # noqa: S606 - no shell is wanted


def _flower(policy: SitePolicy, folder: str, *arguments: str) -> None:
    environment = {**os.environ, **QUIET, "FLWR_HOME": str(flower_home(policy))}
    program = str(Path(sys.executable).with_name("flwr"))
    done = subprocess.run(  # noqa: S603 - our own arguments
        [program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NodeError(f"flwr {arguments[0]}: {(done.stderr or done.stdout).strip()[-500:]}")
