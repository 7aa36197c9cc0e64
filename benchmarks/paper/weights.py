"""A trained network on disk: its weights and, in the file's metadata, how the training went."""

import json
from dataclasses import asdict
from pathlib import Path

import safetensors.torch
from torch import nn

from manyheads_contributor.checkpoint import Epoch, History
from manyheads_shared.files import write_atomic

_HISTORY = "history"


def write_weights(path: Path, network: nn.Module, history: History) -> None:
    """Write both, whole or not at all."""
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(path, safetensors.torch.save(tensors, metadata={_HISTORY: json.dumps([asdict(row) for row in history])}))


def read_weights(path: Path, network: nn.Module) -> History:
    """Put the weights into a network and return the history; the network is then in inference mode."""
    with safetensors.safe_open(path, framework="pt") as stream:
        network.load_state_dict({name: stream.get_tensor(name) for name in stream.keys()})  # noqa: SIM118 - no mapping
        history = tuple(Epoch(**row) for row in json.loads(stream.metadata()[_HISTORY]))
    network.eval()
    return history
