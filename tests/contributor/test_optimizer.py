"""The optimiser: torch's own numbers, bit by bit, without the wait."""

import subprocess
import sys

import torch

from manyheads_contributor.optimizer import Adam

_LOADED = """
import sys
import torch
from manyheads_contributor.optimizer import Adam
network = torch.nn.Linear(2, 1)
network(torch.ones(1, 2)).sum().backward()
Adam(network, betas=(0.9, 0.999), eps=1e-7).step(0.1)
sys.exit("torch._dynamo" in sys.modules)
"""


def test_the_steps_are_those_of_torchs_class() -> None:
    ours, theirs = _network(), _network()
    optimizer = Adam(ours, betas=(0.9, 0.99), eps=1e-7)
    reference = torch.optim.Adam(theirs.parameters(), betas=(0.9, 0.99), eps=1e-7, fused=True)
    for step in range(5):
        inputs = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        for network in (ours, theirs):
            network.zero_grad()
            network(inputs).square().mean().backward()
        optimizer.step(0.1 / (step + 1))
        reference.param_groups[0]["lr"] = 0.1 / (step + 1)
        reference.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_a_step_does_not_load_torchs_compiler() -> None:
    assert subprocess.run([sys.executable, "-c", _LOADED], check=False).returncode == 0


def _network() -> torch.nn.Module:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 3))
    return network.to(memory_format=torch.channels_last)
