"""A whole federation in one process: owners' sites, a signed plan, the coordinator's folder, and Flower's two apps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner

from manyheads_contributor.federation.client_app import app as client_app
from manyheads_hub.federation.folder import FederationFolder
from manyheads_hub.federation.plan_file import DEFAULTS, build_plan, preprocessing_of
from manyheads_hub.federation.primary import initial_tensors
from manyheads_hub.federation.server_app import app as server_app
from manyheads_shared.federation.messages import FOLDER, KEY, SITE
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.record import Record, write_opening
from manyheads_shared.keys import make_key_files, read_private_key
from tests.support.in_process_grid import Answer, InProcessGrid, InProcessNode, make_node, server_context
from tests.support.makers import SIZE, write_dataset

NODE = 7_000_000_000_000_000_000  # ids as large as Flower's
IMAGES = {"real/photos": 20, "generated/alpha": 20}
TINY: dict[str, Any] = {
    "name": "tiny",
    "version": "1",
    "image_size": SIZE,
    "rounds": 2,
    "local_steps": 5,  # a pass over a party's forty images
    "batch_size": 8,
    "batch_norm_images": 40,
    "round_seconds": 5,
    "min_examples": 8,
}


@dataclass
class Federation:
    """What a test moves."""

    folder: FederationFolder
    key: Path
    signer: CryptoSigner
    nodes: dict[int, InProcessNode] = field(default_factory=dict)
    sites: list[Path] = field(default_factory=list)

    @property
    def grid(self) -> InProcessGrid:
        return InProcessGrid(self.nodes)

    @property
    def plan(self) -> Plan:
        return self.folder.read().plan

    def run(self) -> Record:
        """Run the ServerApp to its end, as Flower would."""
        server_app(self.grid, server_context(**{FOLDER: self.folder.path, KEY: self.key}))
        return self.folder.read()

    def misbehave(self, index: int, answer: Answer) -> None:
        """Put something else in the place of a party's app."""
        self.nodes[NODE + index].answer = answer


def make_site(
    folder: Path, party: str, maintainer: Path, *, images: Mapping[str, int] = IMAGES, seed: int = 0, **policy: Any
) -> Path:
    """An owner's folder: images and a policy that names them."""
    write_dataset(folder / "images", dict(images), seed=seed)
    values: dict[str, Any] = {
        "party": party,
        "maintainer": str(maintainer),
        "superlink": "127.0.0.1:9092",
        "certificate": "superlink.pem",
        "node_key": "node",
        "data": "images",
        "work": "work",
        "device": "cpu",
        "min_quorum": 1,
        **policy,
    }
    path = folder / "site.toml"
    path.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in values.items()))
    return path


def make_federation(
    folder: Path, count: int = 3, *, sites: Sequence[Path] = (), nodes: Sequence[int] = (), **values: Any
) -> Federation:
    """`count` owners and a training that has not begun."""
    made = make_key_files(folder / "maintainer.pem")
    sites = sites or [make_site(folder / f"site{i}", f"party{i}", made.public, seed=i) for i in range(count)]
    ids = nodes or [NODE + i for i in range(len(sites))]
    parties = [{"name": f"party{i}", "node": str(ids[i]), "max_examples": 60} for i in range(len(sites))]
    filled = DEFAULTS | TINY | {"parties": parties, "quorum": len(sites), "influence_cap": 1.0, "privacy": None} | values
    preprocessing = preprocessing_of(filled)
    initial = initial_tensors(filled["architecture"], preprocessing, filled["seed"])
    signer = read_private_key(made.private)
    training = FederationFolder(folder / "training")
    training.create(write_opening(build_plan(filled, preprocessing, initial), signer), initial)
    in_process = {i: make_node(client_app, i, **{SITE: str(site)}) for i, site in zip(ids, sites, strict=True)}
    return Federation(training, made.private, signer, in_process, list(sites))


def _toml(value: object) -> str:
    return str(value) if isinstance(value, int | float | list) else f'"{value}"'
