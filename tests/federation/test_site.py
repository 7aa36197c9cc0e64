from pathlib import Path
from typing import Any

import pytest

from manyheads_contributor.federation.errors import SitePolicyError
from manyheads_contributor.federation.site import TEMPLATE, check_plan, read_site
from manyheads_hub.federation.screening import RoundFailedError
from manyheads_shared.federation.plan import Privacy
from manyheads_shared.keys import make_key_files
from tests.support.federation import NODE, make_federation, make_site

FULL = TEMPLATE.format(party="ada")


def test_the_template_is_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(FULL)
    policy = read_site(path)
    assert (policy.party, policy.data) == ("ada", str(tmp_path / "images"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("party = ", "expected a site policy"),
        (FULL + "spy = 1", "spy"),
        (FULL.replace("ada", "Ada!"), "party"),
        ("", "superlink"),
    ],
)
def test_a_policy_that_says_something_else_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(text)
    with pytest.raises(SitePolicyError, match=reason):
        read_site(tmp_path / "site.toml")


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ({"max_rounds": 1}, "2 rounds, at most 1"),
        ({"max_local_steps": 4}, "5 steps in a round, at most 4"),
        ({"min_quorum": 3}, "a quorum of 2, at least 3"),
        ({"strategies": ["median"]}, "strategy fedavg, allowed are median"),
        ({"max_epsilon": 8.0}, "epsilon unbounded, at most 8"),
        ({"party": "eve"}, "is not eve in the plan"),
    ],
)
def test_an_owner_takes_no_part_in_what_the_policy_forbids(bound: dict[str, Any], reason: str, tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 2)
    site = make_site(tmp_path / "strict", **({"party": "party0"} | bound), maintainer=tmp_path / "maintainer.pem.pub")
    federation.nodes[NODE].context.node_config["site"] = str(site)
    with pytest.raises(RoundFailedError, match=f"party0 absent.*{reason}"):
        federation.run()
    assert not (site.parent / "work").exists()  # not an image was read


def test_enough_noise_satisfies_a_policy_that_asks_for_it(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 1)
    policy = read_site(federation.sites[0]).model_copy(update={"max_epsilon": 8.0})
    noisy = Privacy(clip_norm=1.0, noise_multiplier=4.0, delta=1e-5)
    assert check_plan(federation.plan.model_copy(update={"privacy": noisy}), policy, str(NODE)) == []


def test_a_training_that_somebody_else_signed_is_not_answered(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 2)
    stranger = make_key_files(tmp_path / "stranger.pem")
    for site in federation.sites:
        site.write_text(site.read_text().replace("maintainer.pem.pub", stranger.public.name))
    with pytest.raises(RoundFailedError, match="SignatureError"):
        federation.run()
