"""One training of the benchmark, federated or central, and its figures."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from securesystemslib.signer import CryptoSigner

from benchmarks.federation.attacks import ATTACKS, Part
from benchmarks.federation.data import OWNERS, SPEC, World, patched
from manyheads_contributor.federation.local_training import Trained, measure_round, train_round
from manyheads_contributor.federation.materials import Materials
from manyheads_hub.federation.coordinator import Task, run_federation
from manyheads_hub.federation.folder import FederationFolder
from manyheads_hub.federation.plan_file import DEFAULTS, build_plan
from manyheads_hub.federation.primary import initial_tensors
from manyheads_hub.federation.screening import RoundFailedError
from manyheads_shared import metrics
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import Tensors
from manyheads_shared.compute import choose_compute
from manyheads_shared.federation.record import Record, write_opening
from manyheads_shared.federation.tensors import is_statistic
from manyheads_shared.federation.update import Received
from manyheads_shared.networks import Primary, set_primary_tensors
from manyheads_shared.preprocess import Preprocessor

COMPUTE = choose_compute("cpu", "float32")
NAME = {"name": "benchmark", "version": "1"}
SETTINGS: dict[str, Any] = {"local_steps": 4, "batch_size": 16, "learning_rate": 4e-3, "server_learning_rate": 2.0}
CENTRAL: dict[str, dict[str, Any]] = {
    "central": {"batch_size": 32, "learning_rate": 1e-3},  # as the recipe `quick`
    "central-large-batch": {"batch_size": 160, "learning_rate": 4e-3},  # as many steps as a party takes
    "public-alone": {"batch_size": 32, "learning_rate": 1e-3},  # `central`, on the trusted party's images alone
}


@dataclass(frozen=True)
class Trial:
    """What is trained, and against whom."""

    strategy: str  # or `central`
    attack: str = "none"
    attackers: int = 0
    seed: int = 0
    weighting: str = "equal"
    mixed: bool = False  # every owner has images of all generators
    public: bool = False  # the maintainer's party takes part, with its few images of all generators
    rounds: int = 100  # of four steps each: 6.25 are a pass over an owner's 400 images

    @property
    def title(self) -> str:
        """Its name in the results."""
        parts = [self.strategy, self.attack.replace(" ", "-"), str(self.attackers), str(self.seed)]
        return "_".join(
            [*parts, self.weighting, str(self.rounds), *(["mixed"] if self.mixed else []), *(["public"] if self.public else [])]
        )


@dataclass(frozen=True)
class LocalExchange:
    """Parties in this process, one after the other; the first `attackers` of them are dishonest."""

    world: World
    trial: Trial
    states: Path
    opening: str

    def train(self, task: Task) -> Sequence[Received]:
        """See `Exchange`."""
        return [self._reply(task, i, self._train(task, i)) for i in range(len(self._materials))]

    def measure(self, task: Task) -> Sequence[Received]:
        """See `Exchange`."""
        return [
            self._reply(task, i, measure_round(task.tensors, task.plan, materials, compute=COMPUTE))
            for i, materials in enumerate(self._materials)
        ]

    @property
    def _materials(self) -> Sequence[Materials]:
        return [*self.world.owners, *([self.world.public] if self.trial.public else [])]

    def _train(self, task: Task, index: int) -> Trained:
        states = self.states / f"party{index}"
        part = Part(task.tensors, task.round, task.plan, self._materials[index], states, COMPUTE)
        return ATTACKS[self.trial.attack](part) if index < self.trial.attackers else part.train()

    def _reply(self, task: Task, index: int, trained: Trained) -> Received:
        return Received(
            node=task.plan.parties[index].node,
            opening=self.opening,
            round=task.round,
            examples=trained.examples,
            loss=trained.loss,
            weights={name: tensor for name, tensor in trained.tensors.items() if not is_statistic(name)},
            statistics={name: tensor for name, tensor in trained.tensors.items() if is_statistic(name)},
        )


def plan_values(trial: Trial) -> dict[str, Any]:
    """The numbers of a federated trial; robust strategies are told how many parties are dishonest, as if that were known."""
    faulty = {"median": 3, "trimmed-mean": 3, "krum": 3, "multi-krum": 3, "bulyan": 1}.get(trial.strategy, 0)
    own: dict[str, Any] = {}
    if trial.strategy == "fedprox":
        own = {"proximal_strength": 0.01}
    if trial.strategy == "fedadam":
        own = {"server_learning_rate": 0.01}
    if trial.strategy == "trust":
        own = {"trusted_party": f"party{OWNERS}"}
    parties = [{"name": f"party{i}", "node": str(1 + i), "max_examples": 5000} for i in range(OWNERS + trial.public)]
    return (
        DEFAULTS
        | NAME
        | {"parties": parties, "quorum": 5, "privacy": None, "influence_cap": 0.2}
        | {"strategy": trial.strategy, "faulty_parties": faulty, "weighting": trial.weighting, "seed": 2021 + trial.seed}
        | SETTINGS
        | {"rounds": trial.rounds}
        | own
    )


def run_trial(trial: Trial, world: World, work: Path) -> dict[str, Any]:
    """Train and measure; what was trained before in `work` is gone on with."""
    began = time.monotonic()
    values: dict[str, Any] = asdict(trial)
    if trial.strategy in CENTRAL:
        tensors = train_centrally(trial, world, work)
    else:
        try:
            record, tensors = train_federated(trial, world, work)
        except RoundFailedError as error:
            return values | {"failed": str(error)[:300], "seconds": round(time.monotonic() - began, 1)}
        values["rejected"] = {
            party.name: sum(entry.parties[i].state == "rejected" for entry in record.rounds)
            for i, party in enumerate(record.plan.parties)
        }
        if trial.strategy == "trust":
            values["influence"] = mean_influences(record)
    return values | measure(tensors, world) | {"seconds": round(time.monotonic() - began, 1)}


def train_federated(trial: Trial, world: World, work: Path) -> tuple[Record, Tensors]:
    """Run the coordinator with the parties in this process."""
    folder, signer = FederationFolder(work / trial.title), CryptoSigner.generate_ed25519()
    values = plan_values(trial)
    initial = initial_tensors(values["architecture"], SPEC, values["seed"])
    folder.create(write_opening(build_plan(values, SPEC, initial), signer), initial)
    exchange = LocalExchange(world, trial, folder.path / "states", folder.read().opening.digest)
    record = run_federation(folder, exchange, signer)
    return record, folder.read_measured(record)


def mean_influences(record: Record) -> dict[str, float]:
    """Each party's share of the aggregate, mean over rounds."""
    return {
        party.name: round(float(np.mean([entry.parties[i].influence or 0 for entry in record.rounds])), 4)
        for i, party in enumerate(record.plan.parties)
    }


def train_centrally(trial: Trial, world: World, work: Path) -> Tensors:
    """As many passes over all images in one place: a federation of one party, which is central training to the last bit.

    `public-alone` takes as many steps as `central`, which are many more passes over its few images.
    """
    values = plan_values(Trial("fedavg", seed=trial.seed, rounds=trial.rounds))
    passes = values["rounds"] * values["local_steps"] * values["batch_size"] / len(world.owners[0])
    values |= {"parties": values["parties"][:1], "quorum": 1, "influence_cap": 1.0, "rounds": 1}
    values |= CENTRAL[trial.strategy] | {"server_learning_rate": 1.0}
    values["local_steps"] = round(passes * len(world.everything) / values["batch_size"])
    tensors = initial_tensors(values["architecture"], SPEC, values["seed"])
    plan = build_plan(values, SPEC, tensors)
    states, materials = work / trial.title, world.public if trial.strategy == "public-alone" else world.everything
    weights = train_round(tensors, 1, plan, materials, states=states, compute=COMPUTE).tensors
    return weights | measure_round(dict(tensors) | weights, plan, materials, compute=COMPUTE).tensors


def measure(tensors: Tensors, world: World) -> dict[str, Any]:
    """Detector AUROC on clean images, and with the backdoor's mark on the generated ones."""
    network = Primary(get_architecture(str(DEFAULTS["architecture"])), SPEC.image_size)
    set_primary_tensors(network, tensors)
    network.eval()
    real, generated, marked = (_logits(network, p) for p in (world.real, world.generated, patched(world.generated)))
    at_one = float(np.quantile(real, 0.99))
    return {
        "auroc": metrics.auroc(real, generated),
        "auroc_backdoored": metrics.auroc(real, marked),
        "recall_at_1": float((generated > at_one).mean()),
        "accuracy": float(((real < 0).mean() + (generated >= 0).mean()) / 2),
    }


@torch.inference_mode()
def _logits(network: Primary, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    preprocess = Preprocessor(SPEC)
    parts = [network(torch.from_numpy(preprocess.batch(list(pixels[i : i + 256])))).numpy() for i in range(0, len(pixels), 256)]
    return np.concatenate(parts)
