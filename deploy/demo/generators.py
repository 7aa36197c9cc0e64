"""Small up-convolutional generators, fitted on the spot: each is the decoder of an autoencoder of its own.

The encoder is fixed and linear (the principal components of 8x8 patches), the decoder is trained; they differ in how they
enlarge, which is what leaves a generator's trace. Within an image the latents pass from one training crop to another, with
noise: it is a copy of neither. Blurry, not beautiful, and really fitted: colours and layout are those of the crops.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads_shared.image import Pixels

Kind = Literal["transposed", "nearest", "shuffle", "bilinear"]

PATCH = 8  # pixels a side: three doublings lead back
LATENTS = 12  # components kept of the 192 of a patch
WIDTHS = (48, 32, 24)  # channels at 1/8, 1/4 and 1/2 of the size

_BATCH = 16  # crops a step
_LEARNING_RATE = 3e-3  # Adam; falls linearly to a twentieth
_TEXTURE_WEIGHT = 0.5  # against the L1 distance: without it the crops' texture is averaged away
_STEEPNESS = 5.0  # of the passage from one crop to another within an image: about a third of its width
_LATENT_NOISE = 0.1  # standard deviation; latents have 1


@dataclass(frozen=True)
class GeneratorSpec:
    """A generator to fit; the same values give the same images on any number of cores."""

    name: str
    kind: Kind
    seed: int
    steps: int = 500  # 20 to 30 seconds on one core


class Decoder(nn.Module):
    """Latents (N, LATENTS, S/8, S/8) to images (N, 3, S, S) in [-1, 1]."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        first, second, third = WIDTHS
        self.stack = nn.Sequential(
            nn.Conv2d(LATENTS, first, 3, padding=1),
            nn.LeakyReLU(0.2),
            _enlarge(kind, first, second),
            nn.BatchNorm2d(second),
            nn.LeakyReLU(0.2),
            _enlarge(kind, second, third),
            nn.BatchNorm2d(third),
            nn.LeakyReLU(0.2),
            _enlarge(kind, third, 3),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Decode."""
        images: Tensor = self.stack(latents)
        return images


def _enlarge(kind: Kind, channels_in: int, channels_out: int) -> nn.Module:
    """Twice the height and width."""
    match kind:
        case "transposed":
            return nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)
        case "shuffle":
            return nn.Sequential(nn.Conv2d(channels_in, 4 * channels_out, 3, padding=1), nn.PixelShuffle(2))
        case _:
            return nn.Sequential(nn.Upsample(scale_factor=2, mode=kind), nn.Conv2d(channels_in, channels_out, 3, padding=1))


def generate(spec: GeneratorSpec, crops: Pixels, count: int) -> Pixels:
    """Fit a generator to crops and make images with it.

    One thread only: a sum's order, and so the images, would change with the number of threads.

    Args:
        spec: which generator.
        crops: uint8 (M, S, S, 3); S a multiple of 8.
        count: images to make.

    Returns:
        uint8 (count, S, S, 3).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(spec.seed)
            images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1  # (M, 3, S, S)
            latents = _encode(images)
            decoder = _fit(spec, images, latents)
            return _sample(decoder, latents, count)
    finally:
        torch.set_num_threads(threads)


def _encode(images: Tensor) -> Tensor:
    """Whitened principal components of the patches: (M, LATENTS, S/8, S/8), mean 0, variance 1."""
    side = images.shape[-1] // PATCH
    patches = functional.unfold(images, PATCH, stride=PATCH).transpose(1, 2).reshape(-1, 3 * PATCH**2)
    centred = patches - patches.mean(dim=0)
    variances, components = torch.linalg.eigh(centred.T @ centred / len(centred))
    whitened: Tensor = centred @ components[:, -LATENTS:] / variances[-LATENTS:].sqrt()
    return whitened.reshape(len(images), side, side, LATENTS).permute(0, 3, 1, 2).contiguous()


def _fit(spec: GeneratorSpec, images: Tensor, latents: Tensor) -> Decoder:
    decoder = Decoder(spec.kind).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(decoder.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, total_iters=spec.steps)
    for _ in range(spec.steps):
        chosen = torch.randint(len(images), (_BATCH,))
        made, true = decoder(latents[chosen]), images[chosen]
        loss = (made - true).abs().mean() + _TEXTURE_WEIGHT * (_texture(made) - _texture(true)).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return decoder.eval()


def _texture(images: Tensor) -> Tensor:
    """How much detail there is around each place, wherever exactly it lies: the mean gradient of 7x7 neighbourhoods."""
    across = images.diff(dim=3)[:, :, 1:].abs()
    down = images.diff(dim=2)[:, :, :, 1:].abs()
    texture: Tensor = functional.avg_pool2d(across + down, 7, stride=4)
    return texture


@torch.inference_mode()
def _sample(decoder: Decoder, latents: Tensor, count: int) -> Pixels:
    first, second = latents[torch.randint(len(latents), (count,))], latents[torch.randint(len(latents), (count,))]
    angle = _transitions(count, latents.shape[-1]) * (torch.pi / 2)
    mixed = first * angle.cos() + second * angle.sin()  # keeps the variance, and so contrast and colour
    mixed += _LATENT_NOISE * torch.randn(mixed.shape)
    made = torch.cat([decoder(batch) for batch in torch.split(mixed, 64)])
    pixels = ((made + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return np.ascontiguousarray(pixels.numpy())


def _transitions(count: int, side: int) -> Tensor:
    """From 0 on one side of an image to 1 on the other: (count, 1, side, side), each in a direction of its own."""
    direction = torch.rand(count, 1, 1) * 2 * torch.pi
    places = torch.linspace(-1, 1, side)
    along = direction.cos() * places[:, None] + direction.sin() * places
    offset = torch.rand(count, 1, 1) - 0.5
    return torch.sigmoid(_STEEPNESS * (along - offset)).unsqueeze(1)
