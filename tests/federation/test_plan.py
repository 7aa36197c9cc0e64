from pathlib import Path
from typing import Any

import pytest

from manyheads_hub.federation.plan_file import DEFAULTS, build_plan, plan_template, preprocessing_of, read_plan
from manyheads_shared.errors import UsageError
from manyheads_shared.federation.plan import Plan
from tests.support.federation import TINY

PARTIES = [{"name": f"party{i}", "node": str(i + 1), "max_examples": 60} for i in range(4)]


def _plan(**values: Any) -> Plan:
    filled = DEFAULTS | TINY | {"parties": PARTIES, "quorum": 4, "privacy": None} | values
    return build_plan(filled, preprocessing_of(filled), {})


def test_the_template_is_a_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(plan_template())
    values = read_plan(tmp_path / "plan.toml")
    plan = build_plan(values, preprocessing_of(values), {})
    assert (plan.quorum, [party.name for party in plan.parties]) == (2, ["ada", "ben"])


def test_every_line_of_the_template_may_be_switched_on(tmp_path: Path) -> None:
    lines = plan_template().splitlines()
    switched = [line.removeprefix("# ") if line.startswith("# ") and " = " in line else line for line in lines]
    text = "\n".join(line for line in switched if line != "# [privacy]").replace("# [privacy]", "[privacy]")
    (tmp_path / "plan.toml").write_text(text)
    values = read_plan(tmp_path / "plan.toml")
    assert build_plan(values, preprocessing_of(values), {}).privacy is not None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"roundss": 3}, "roundss"),
        ({"architecture": "khoo2022-dct"}, "a pixel primary"),
        ({"architecture": "resnet"}, "a declared architecture"),
        ({"degradation": "none-such"}, "none-such"),
        ({"parties": [PARTIES[0], PARTIES[0]], "quorum": 2}, "a name each"),
        ({"parties": [PARTIES[0], PARTIES[1] | {"node": "1"}], "quorum": 2}, "a node each"),
        ({"parties": [], "quorum": 1}, "parties"),
        ({"quorum": 5}, "at most 4"),
        ({"influence_cap": 0.2}, "no whole"),
        ({"strategy": "trimmed-mean"}, "withstands none"),
        ({"strategy": "trimmed-mean", "faulty_parties": 2}, "needs 5 updates, got 4"),
        ({"strategy": "krum", "faulty_parties": 1}, "needs 5 updates, got 4"),
        ({"strategy": "bulyan", "faulty_parties": 1}, "needs 7 updates, got 4"),
        ({"faulty_parties": 1}, "withstands no faulty party"),
        ({"strategy": "fedprox"}, "proximal_strength"),
        ({"proximal_strength": 0.1}, "proximal_strength"),
        ({"strategy": "median", "faulty_parties": 1, "weighting": "examples"}, "knows no weights"),
        ({"strategy": "fedadam", "privacy": {"clip_norm": 1.0, "noise_multiplier": 1.0, "delta": 1e-5}}, "plain mean"),
        ({"weighting": "examples", "privacy": {"clip_norm": 1.0, "noise_multiplier": 1.0, "delta": 1e-5}}, "plain mean"),
        ({"privacy": {"clip_norm": 1.0, "noise_multiplier": 1e-4, "delta": 1e-5}}, "too little for any promise"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        _plan(**values)


def test_a_node_id_larger_than_a_json_number_is_kept() -> None:
    node = str(2**64 - 1)
    plan = _plan(parties=[PARTIES[0] | {"node": node}, PARTIES[1]], quorum=2)
    assert Plan.from_bytes(plan.to_bytes()).parties[0].node == node
