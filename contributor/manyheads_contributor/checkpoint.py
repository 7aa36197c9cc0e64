"""The state of a training loop as one safetensors file: weights, best weights, optimiser, and the history as JSON beside them.

One file, written whole or not at all: whatever moment a process dies at, the last finished epoch is there, and going on from
it gives bit for bit what an undisturbed run gives. Best epoch and patience follow from the history, so they cannot disagree.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from manyheads_contributor.optimizer import Adam
from manyheads_shared.files import write_atomic

_HISTORY = "history"


@dataclass(frozen=True)
class Epoch:
    """One line of the history. Losses are means of binary cross-entropy; figures are of the validation side at logit 0."""

    epoch: int  # from 1
    learning_rate: float  # at its last step
    train_loss: float
    val_loss: float
    val_f1: float | None
    val_auroc: float | None
    images_per_second: float  # of the training pass
    seconds: float


History = tuple[Epoch, ...]


def best_epoch(history: History) -> int:
    """The epoch of the lowest validation loss, the first of equals; 0 without a history."""
    return min(history, key=lambda row: row.val_loss).epoch if history else 0


def write_checkpoint(path: Path, history: History, network: nn.Module, best: dict[str, Tensor], optimizer: Adam) -> None:
    """Write the state after an epoch."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for i, moments in enumerate(optimizer.state):
        tensors |= {f"optimizer.{i}.{name}": tensor for name, tensor in moments.items()}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {_HISTORY: json.dumps([asdict(row) for row in history])}
    write_atomic(path, safetensors.torch.save(plain, metadata=metadata))


def read_checkpoint(path: Path, network: nn.Module, optimizer: Adam) -> tuple[History, dict[str, Tensor]]:
    """Put the state of the last finished epoch back into network and optimiser.

    Returns:
        The history and the best weights; both empty when there is no checkpoint yet.
    """
    if not path.exists():
        return (), {}
    with safetensors.safe_open(path, framework="pt") as stream:
        history = tuple(Epoch(**row) for row in json.loads(stream.metadata()[_HISTORY]))
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - safe_open is no mapping
    network.load_state_dict(_under("network", tensors))
    for i, moments in enumerate(optimizer.state):
        for name, moment in moments.items():
            moment.copy_(tensors[f"optimizer.{i}.{name}"])  # in place: it keeps its device and its order in memory
    return history, _under("best", tensors)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix + "."): tensor for name, tensor in tensors.items() if name.startswith(prefix + ".")}
