"""Where and in which arithmetic networks run, and the words for it that manifests and records carry."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from manyheads_shared import __version__
from manyheads_shared.errors import UsageError

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Compute:
    """A device and a precision. Images and weights are kept channels-last, which no CPU here runs slower."""

    device: torch.device
    precision: Precision

    @property
    def device_name(self) -> str:
        """The device in words."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU {platform.machine()} {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Run the block in the chosen precision."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            yield


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Choose where to run.

    Args:
        device: `auto` (a GPU when there is one), `cpu`, `cuda` or `cuda:N`.
        precision: `auto`, `float32` or `bfloat16`. Auto takes bfloat16 only where the processor multiplies it in hardware;
            elsewhere it is emulated and slower.

    Raises:
        UsageError: an unknown name, or a GPU that is not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"--device: expected auto, cpu or cuda, got {device!r}") from error
    if chosen.type not in ("cpu", "cuda"):
        raise UsageError(f"--device: expected auto, cpu or cuda, got {device!r}")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no GPU here; use --device cpu")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {device}: torch finds {torch.cuda.device_count()} GPUs here, counted from 0")
    if precision == "auto":
        return Compute(chosen, "bfloat16" if _multiplies_bfloat16(chosen) else "float32")
    if precision not in ("float32", "bfloat16"):
        raise UsageError(f"--precision: expected auto, float32 or bfloat16, got {precision!r}")
    return Compute(chosen, "bfloat16" if precision == "bfloat16" else "float32")


def software() -> str:
    """The software in words, for manifests and records."""
    return f"manyheads {__version__}, torch {torch.__version__}"


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_amx_tile_supported())  # noqa: SLF001 - torch has no public name for it
