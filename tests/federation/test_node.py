import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from manyheads_contributor.federation.errors import NodeError
from manyheads_contributor.federation.node import make_node_key, plan_start
from manyheads_contributor.federation.site import read_site
from manyheads_shared.errors import UsageError
from manyheads_shared.federation.messages import app_project
from tests.support.federation import make_site


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name in ("maintainer.pub", "superlink.pem"):
        (tmp_path / name).write_text("")
    make_node_key(tmp_path / "node")
    return make_site(tmp_path, "ada", Path("maintainer.pub"))


def test_a_nodes_key_is_of_the_curve_that_flower_asks_for_and_never_overwritten(tmp_path: Path) -> None:
    public = load_ssh_public_key(make_node_key(tmp_path / "node").read_bytes())
    assert isinstance(public, EllipticCurvePublicKey)
    assert isinstance(public.curve, SECP384R1)
    assert (tmp_path / "node").stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="never overwritten"):
        make_node_key(tmp_path / "node")


def test_a_node_starts_with_tls_and_its_key_on_loopback_and_tells_nobody(site: Path) -> None:
    start = plan_start(site, read_site(site))
    words = " ".join(start.command)
    assert "--root-certificates" in words
    assert "--auth-supernode-private-key" in words
    assert "--insecure" not in words
    assert start.command[start.command.index("--host") + 1] == "127.0.0.1"
    assert (start.environment["FLWR_TELEMETRY_ENABLED"], start.environment["FLWR_DISABLE_UPDATE_CHECK"]) == ("0", "1")


@pytest.mark.parametrize("name", ["maintainer.pub", "superlink.pem", "node"])
def test_a_file_that_the_policy_names_and_that_is_not_there_is_told_before_anything_starts(name: str, site: Path) -> None:
    (site.parent / name).unlink()
    with pytest.raises(NodeError, match=name):
        plan_start(site, read_site(site))


def test_without_flower_a_node_says_which_extra_it_wants(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flwr", None)
    with pytest.raises(NodeError, match="extra `federation`"):
        plan_start(site, read_site(site))


def test_the_app_that_is_pushed_holds_no_code() -> None:
    assert "manyheads_contributor.federation.client_app:app" in app_project()
