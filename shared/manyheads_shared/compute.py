"""Where and in which arithmetic networks run, and the words for it that manifests and records carry.

Thresholds are fitted to scores of one arithmetic and hold for it alone: bfloat16 was seen to move a logit by 0.2. So scores
are float32 unless somebody asks otherwise; only training chooses bfloat16 by itself (`choose_training_compute`).
"""

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
    def arithmetic(self) -> Iterator[None]:
        """Run the block in the chosen precision. Float32 is float32: not TF32, which a GPU would put in its place."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"), _without_tf32():
            yield


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Choose where to compute scores that thresholds are fitted to or applied to.

    Args:
        device: `auto` (a GPU when there is one), `cpu`, `cuda` or `cuda:N`.
        precision: `auto` (float32), `float32` or `bfloat16`.

    Raises:
        UsageError: an unknown name, or a GPU that is not there.
    """
    chosen = _choose_device(device)
    if precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"--precision: expected auto, float32 or bfloat16, got {precision!r}")
    return Compute(chosen, "bfloat16" if precision == "bfloat16" else "float32")


def choose_training_compute(device: str, precision: str) -> Compute:
    """Choose where to train. Arguments and errors as `choose_compute`, except that `auto` looks for speed.

    It takes bfloat16 where the processor multiplies it in hardware; elsewhere it is emulated and slower.
    """
    compute = choose_compute(device, precision)
    if precision == "auto" and multiplies_bfloat16(compute.device):
        return Compute(compute.device, "bfloat16")
    return compute


def software() -> str:
    """The software in words, for manifests and records."""
    return f"manyheads {__version__}, torch {torch.__version__}"


def _choose_device(device: str) -> torch.device:
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
    return chosen


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Run the block with TF32 off: it cuts the inputs of every product to 10 bits, and torch's convolutions take it unasked."""
    backends = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]  # torch's stubs lag behind
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; elsewhere it is emulated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_amx_tile_supported())  # noqa: SLF001 - torch has no public name for it
