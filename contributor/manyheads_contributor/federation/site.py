"""The site policy: what an owner lets a federation do with this machine and these images. The owner's file, nobody else's word.

A training that breaks it is refused before an image is read.
"""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from manyheads_contributor.federation.errors import SitePolicyError
from manyheads_shared.document import Ordinal, Value, explain
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.strategy import StrategyName
from manyheads_shared.federation.verification import plan_epsilon
from manyheads_shared.manifest import Name

TEMPLATE = """# What this site lets a federated training do. Paths are relative to this file.

party = "{party}"               # your name in the plan
maintainer = "maintainer.pub"   # only trainings signed by this key are taken part in

# where the training runs, as the maintainer tells you
superlink = "127.0.0.1:9092"    # host:port
certificate = "superlink.pem"   # of the authority that vouches for it
node_key = "node"               # `federate key` makes it; the maintainer registers node.pub

# your side
data = "images"                 # real/SOURCE and generated/GENERATOR below it; external/ is left alone
work = "federation"             # decoded images, the training's state, a log of what was sent
device = "auto"                 # auto, cpu, cuda or cuda:N
port = 9094                     # on loopback, between the node and the program it starts

# your bounds
max_rounds = 1000
max_local_steps = 1000          # of the optimiser, on your machine, in one round
min_quorum = 2                  # a round's weights show the more of your images, the fewer parties are in it
strategies = []                 # names that are allowed; empty: all
# max_epsilon = 8.0             # with this line, only trainings with differential privacy, and at most this much spent
"""


class SitePolicy(Value):
    """`site.toml`, its paths made absolute."""

    party: Name
    maintainer: str
    superlink: Annotated[str, Field(pattern=r"^[^\s/]+:[0-9]{1,5}$")]
    certificate: str
    node_key: str
    data: str
    work: str
    device: str = "auto"
    port: Annotated[int, Field(ge=1, le=65_535)] = 9094
    max_rounds: Ordinal = 1000
    max_local_steps: Ordinal = 1000
    min_quorum: Ordinal = 2
    strategies: tuple[StrategyName, ...] = ()
    max_epsilon: Annotated[float, Field(gt=0)] | None = None


def read_site(path: Path) -> SitePolicy:
    """Read a site policy.

    Raises:
        SitePolicyError: no such file, not TOML, or not what a policy says.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SitePolicyError(f"{path}: expected a site policy, as `federate site` writes one: {error}") from error
    if isinstance(values.get("strategies"), list):
        values["strategies"] = tuple(values["strategies"])
    try:
        policy = SitePolicy(**values)
    except (ValidationError, TypeError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else str(error)
        raise SitePolicyError(f"{path}: {reason}") from error
    here = path.resolve().parent
    paths = {name: str(here / getattr(policy, name)) for name in ("maintainer", "certificate", "node_key", "data", "work")}
    return policy.model_copy(update=paths)


def check_plan(plan: Plan, policy: SitePolicy, node: str) -> list[str]:
    """Why a site takes no part in a training; nothing when it does.

    Args:
        node: this node, as Flower knows it.
    """
    party = plan.party_of(node)
    epsilon = plan_epsilon(plan)
    checks = [
        (party is not None and party.name == policy.party, f"node {node} is not {policy.party} in the plan"),
        (plan.rounds <= policy.max_rounds, f"{plan.rounds} rounds, at most {policy.max_rounds} are allowed"),
        (
            plan.local_steps <= policy.max_local_steps,
            f"{plan.local_steps} steps in a round, at most {policy.max_local_steps} are allowed",
        ),
        (plan.quorum >= policy.min_quorum, f"a quorum of {plan.quorum}, at least {policy.min_quorum} is asked for"),
        (
            not policy.strategies or plan.strategy in policy.strategies,
            f"strategy {plan.strategy}, allowed are {', '.join(policy.strategies)}",
        ),
        (
            policy.max_epsilon is None or (epsilon is not None and epsilon <= policy.max_epsilon),
            f"epsilon {'unbounded' if epsilon is None else f'{epsilon:.3g}'}, at most {policy.max_epsilon} is allowed",
        ),
    ]
    return [reason for kept, reason in checks if not kept]
