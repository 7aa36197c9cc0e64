"""The machine a benchmark ran on, in words."""

import os
import platform

import torch


def hardware() -> str:
    """Cores, instruction set, torch."""
    return f"{os.cpu_count()} cores, {platform.machine()} {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"
