"""The maintainer's plan as a TOML file: what it leaves out has the values here."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from manyheads_shared.artifact import Tensors
from manyheads_shared.clock import now
from manyheads_shared.document import explain
from manyheads_shared.errors import UsageError
from manyheads_shared.federation.plan import Party, Plan, Privacy, TrustingPlan
from manyheads_shared.federation.tensors import digest_tensors
from manyheads_shared.manifest import Preprocessing

DEFAULTS: dict[str, Any] = {
    "architecture": "khoo2022-pixel",
    "image_size": 64,  # pixels a side
    "fit": "resize",
    "seed": 2021,
    "rounds": 100,
    "local_steps": 20,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-7,
    "positive_weight": "balanced",
    "degradation": "clean",
    "batch_norm_images": 2048,
    "precision": "float32",
    "proximal_strength": 0.0,
    "weighting": "equal",
    "influence_cap": 0.5,
    "round_seconds": 3600,
    "min_examples": 32,
    "norm_factor": 3.0,
    "strategy": "fedavg",
    "faulty_parties": 0,
    "server_learning_rate": 1.0,
    "server_beta1": 0.9,
    "server_beta2": 0.99,
    "server_epsilon": 1e-3,
}

TEMPLATE = """# The plan of a federated training. What stands behind a # is the value that counts when its line is left out.

name = "faces"
version = "1"
{defaults}
# quorum = 2                    # accepted updates a round needs; left out: two thirds of the parties
# trusted_party: with strategy trust, and only with it, the name of the party that the maintainer runs on public images

# who takes part: each by the id that `flwr supernode register` gave, and the images it may claim
[[parties]]
name = "ada"
node = "1234567890123456789"
max_examples = 5000

[[parties]]
name = "ben"
node = "9876543210987654321"
max_examples = 5000

# [privacy]                     # differential privacy of whole parties; fedavg or fedprox, weighting equal
# clip_norm = 1.0
# noise_multiplier = 1.0
# delta = 1e-5
"""


def plan_template() -> str:
    """A plan to fill in, as TOML."""
    return TEMPLATE.format(defaults="\n".join(f"# {name} = {_toml(value)}" for name, value in DEFAULTS.items()))


def read_plan(path: Path) -> dict[str, Any]:
    """Read a plan file: its values over the defaults.

    Raises:
        UsageError: no such file, or not TOML.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: expected a plan in TOML, as `federate plan` writes one: {error}") from error
    quorum = -(-2 * len(values.get("parties", [])) // 3)
    return DEFAULTS | {"quorum": quorum, "privacy": None} | values


def preprocessing_of(values: dict[str, Any]) -> Preprocessing:
    """The preprocessing that a plan's values ask for.

    Raises:
        UsageError: not one.
    """
    try:
        return Preprocessing(representation="pixel", image_size=values["image_size"], fit=values["fit"])
    except ValidationError as error:
        raise UsageError(f"plan: {explain(error)}") from error


def build_plan(values: dict[str, Any], preprocessing: Preprocessing, initial: Tensors) -> Plan:
    """The plan of a plan file's values.

    Raises:
        UsageError: an unknown key, or values that do not go together.
    """
    fields = {name: value for name, value in values.items() if name not in ("image_size", "fit")}
    try:
        fields["parties"] = tuple(Party(**party) for party in values.get("parties", []))
        fields["privacy"] = None if values["privacy"] is None else Privacy(**values["privacy"])
        fields |= {"preprocessing": preprocessing, "initial": digest_tensors(initial), "created": now()}
        if "trusted_party" in values:
            return TrustingPlan(format="manyheads.federation-plan/2", **fields)
        return Plan(format=Plan.FORMAT, **fields)
    except (ValidationError, TypeError) as error:
        raise UsageError(f"plan: {explain(error) if isinstance(error, ValidationError) else error}") from error


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
