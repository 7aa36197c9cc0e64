"""The declared architectures, as plain data. A manifest names one; nothing else can be built.

A head submitted to a hub is data, never code: its tensors must be exactly those its architecture declares here. No torch in
this module, so the hub's web process and the format readers can check a file without loading a network library.

Source of the reference network: Khoo, Lim and Phan 2022, its published code (layer order conv -> batch norm -> ReLU; "same"
padding, which for kernel 4 and stride 2 on even sizes is one pixel on every side).
"""

from dataclasses import dataclass
from typing import Literal

from manyheads_shared.errors import ManifestError

Shape = tuple[int, ...]

PADDING = 1  # pixels on every side: "same" for kernel 3 stride 1, and for kernel 4 stride 2 on even sizes


@dataclass(frozen=True)
class Conv:
    """One convolution with bias, then batch norm where declared, then ReLU."""

    channels_in: int
    channels_out: int
    kernel: Literal[3, 4]
    stride: Literal[1, 2]
    batch_norm: bool = True

    def tensors(self, number: int) -> dict[str, Shape]:
        """Names and shapes of the stored tensors; `number` counts from 1 within the module."""
        shapes: dict[str, Shape] = {
            f"conv{number}.weight": (self.channels_out, self.channels_in, self.kernel, self.kernel),
            f"conv{number}.bias": (self.channels_out,),
        }
        if self.batch_norm:
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"norm{number}.{part}"] = (self.channels_out,)
        return shapes

    def macs(self, size: int) -> int:
        """Multiply-accumulates on a square input of `size` pixels a side."""
        return (size // self.stride) ** 2 * self.channels_out * self.channels_in * self.kernel**2


@dataclass(frozen=True)
class Architecture:
    """A trunk and the module on top of it; the detector and every head are that module with weights of their own."""

    name: str
    representation: Literal["pixel", "dct"]
    trunk: tuple[Conv, ...]
    head: tuple[Conv, ...]
    readout: Literal["gap", "flatten"]  # global average pooling (any input size) or flatten (one size)
    batch_norm_eps: float = 1e-3  # Keras default, which the paper's networks used; torch's is 1e-5
    batch_norm_momentum: float = 0.01  # torch's convention; Keras calls it 0.99
    init_std: float = 0.02  # weights start at N(0, 0.02), biases at 0

    @property
    def image_channels(self) -> int:
        """Channels of a preprocessed image: 3 (RGB) or 1 (grey DCT)."""
        return self.trunk[0].channels_in

    @property
    def feature_channels(self) -> int:
        """Channels of the features at the branch point."""
        return self.trunk[-1].channels_out

    def feature_size(self, image_size: int) -> int:
        """Height and width of the features for a square image."""
        return _after(self.trunk, image_size)

    def maps_size(self, image_size: int) -> int:
        """Height and width of a head's last maps for a square image."""
        return _after(self.head, self.feature_size(image_size))

    def trunk_tensors(self) -> dict[str, Shape]:
        """Names and shapes of the trunk's tensors, all float32."""
        return _stack_tensors(self.trunk)

    def head_tensors(self, image_size: int | None) -> dict[str, Shape]:
        """Names and shapes of a head's (or the detector's) tensors, all float32.

        Raises:
            ManifestError: a flatten read-out without a fixed image size.
        """
        inputs = self.head[-1].channels_out
        if self.readout == "flatten":
            if image_size is None:
                raise ManifestError(f"{self.name}: a flatten read-out needs one fixed image size; the manifest has none")
            inputs *= self.maps_size(image_size) ** 2
        return _stack_tensors(self.head) | {"decision.weight": (1, inputs), "decision.bias": (1,)}

    def trunk_macs(self, image_size: int) -> int:
        """Multiply-accumulates of one trunk pass."""
        return _stack_macs(self.trunk, image_size)

    def head_macs(self, image_size: int) -> int:
        """Multiply-accumulates of one head (or the detector) on ready features."""
        inputs = self.head_tensors(image_size)["decision.weight"][1]
        return _stack_macs(self.head, self.feature_size(image_size)) + inputs


def _after(stack: tuple[Conv, ...], size: int) -> int:
    for conv in stack:
        size //= conv.stride
    return size


def _stack_tensors(stack: tuple[Conv, ...]) -> dict[str, Shape]:
    return {name: shape for i, conv in enumerate(stack, start=1) for name, shape in conv.tensors(i).items()}


def _stack_macs(stack: tuple[Conv, ...], size: int) -> int:
    total = 0
    for conv in stack:
        total += conv.macs(size)
        size //= conv.stride
    return total


_KHOO2022_TRUNK_TAIL = (Conv(3, 8, 4, 2), Conv(8, 16, 3, 1), Conv(16, 16, 4, 2))
_KHOO2022_HEAD = (Conv(16, 32, 3, 1), Conv(32, 32, 4, 2))

ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="khoo2022-pixel",
            representation="pixel",
            trunk=(Conv(3, 3, 3, 1, batch_norm=False), *_KHOO2022_TRUNK_TAIL),
            head=_KHOO2022_HEAD,
            readout="gap",
        ),
        Architecture(
            name="khoo2022-dct",
            representation="dct",
            trunk=(Conv(1, 3, 3, 1, batch_norm=False), *_KHOO2022_TRUNK_TAIL),
            head=_KHOO2022_HEAD,
            readout="flatten",
        ),
    )
}


def get_architecture(name: str) -> Architecture:
    """Return a declared architecture.

    Raises:
        ManifestError: nobody declared it.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(sorted(ARCHITECTURES))
        raise ManifestError(f"expected a declared architecture ({known}), got {name[:60]!r}. Update manyheads?") from None


def parameter_count(tensors: dict[str, Shape]) -> int:
    """Trainable numbers among tensors: all but the running statistics of batch norm."""
    total = 0
    for name, shape in tensors.items():
        if not name.endswith(("running_mean", "running_var")):
            count = 1
            for side in shape:
                count *= side
            total += count
    return total
