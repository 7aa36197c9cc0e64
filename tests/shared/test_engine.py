"""The many-head engine: however heads are run, the same logits, the same maps and the same verdicts."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import read_head, read_primary
from manyheads_shared.calibration import Band
from manyheads_shared.compute import Compute, choose_compute
from manyheads_shared.decision import decide
from manyheads_shared.engine import executors
from manyheads_shared.engine.executors import GROUPS, Folded, Separate
from manyheads_shared.engine.tuning import Shape, Tuning
from manyheads_shared.image import SUFFIXES, decode_image
from manyheads_shared.networks import Head, build_head, build_primary
from manyheads_shared.preprocess import fit_image
from manyheads_shared.scoring import Scorer
from tests.support.makers import make_generator
from tests.support.world import draw_images, trained_head, trained_primary

FLOAT32 = choose_compute("cpu", "float32")
SIZE = 32
COUNT = 6  # of heads: only groups of 1 and 2 divide it
NO_TRUNK = nn.Sequential()  # for heads on ready features
FACES64 = Path(__file__).parents[3] / "shared" / "data" / "faces64"


class Always(Tuning):
    """Runs so many heads at once, whatever was measured."""

    def __init__(self, group: int) -> None:
        self.group = group

    def choose(self, *_: object) -> int:
        return self.group


def make_heads(count: int = COUNT, *, architecture: str = "khoo2022-pixel", size: int | None = SIZE) -> list[Head]:
    """Heads whose every number is drawn, those of batch norm too: folding moves all of them."""
    draw = torch.Generator().manual_seed(1)
    heads = [build_head(get_architecture(architecture), size, seed=i).eval() for i in range(count)]
    for head in heads:
        for norm in (module for module in head.modules() if isinstance(module, nn.BatchNorm2d)):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            for values, low, high in ((norm.weight.data, 0.5, 2), (norm.bias.data, -0.5, 0.5), (norm.running_mean, -0.1, 0.1)):
                values.uniform_(low, high, generator=draw)
            norm.running_var.uniform_(0.01, 0.1, generator=draw)
        head.decision.bias.data.uniform_(-1, 1, generator=draw)
    return heads


def fold(heads: Sequence[Head], group: int, compute: Compute = FLOAT32) -> Folded:
    return Folded(NO_TRUNK, heads, compute, (SIZE // 8, SIZE // 8), Always(group))


def draw_features(count: int, size: int = SIZE) -> Tensor:
    draw = torch.Generator().manual_seed(2)
    features = torch.randn(count, 16, size // 4, size // 4, generator=draw).relu()
    return features.contiguous(memory_format=torch.channels_last)


def distance(found: Tensor, expected: Tensor) -> float:
    """The largest difference, in shares of the spread of what is expected."""
    assert found.shape == expected.shape
    assert found.dtype == torch.float32
    return float((found - expected).abs().max() / expected.std())


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("architecture", ["khoo2022-pixel", "khoo2022-dct"])
@torch.inference_mode()
def test_folded_heads_give_the_logits_and_maps_of_separate_ones(architecture: str, group: int) -> None:
    heads, features = make_heads(architecture=architecture), draw_features(7)
    separate, folded = Separate(NO_TRUNK, heads, FLOAT32), fold(heads, group)
    (logits, maps), (expected_logits, expected_maps) = folded.analyse(features), separate.analyse(features)
    assert distance(logits, expected_logits) < 1e-5
    assert distance(maps, expected_maps) < 1e-5
    assert distance(folded.logits(features), separate.logits(features)) < 1e-5
    assert distance(separate.logits(features), expected_logits) == 0


@torch.inference_mode()
def test_heads_are_no_twins() -> None:
    logits = Separate(NO_TRUNK, make_heads(), FLOAT32).logits(draw_features(7))
    assert logits.std(dim=0).min() > 1e-3
    assert logits.std(dim=1).min() > 1e-2


@torch.inference_mode()
def test_images_of_native_size_are_run_folded_too() -> None:
    heads = make_heads(size=None)
    folded = Folded(NO_TRUNK, heads, FLOAT32, None, Always(4))
    separate = Separate(NO_TRUNK, heads, FLOAT32)
    for features in (draw_features(2, 32), draw_features(2, 48)):
        assert distance(folded.logits(features), separate.logits(features)) < 1e-5


@torch.inference_mode()
def test_bfloat16_folded_is_no_further_off_than_separate() -> None:
    heads, features, coarse = make_heads(), draw_features(7), Compute(torch.device("cpu"), "bfloat16")
    exact = Separate(NO_TRUNK, heads, FLOAT32).logits(features)
    off = distance(Separate(NO_TRUNK, heads, coarse).logits(features), exact)
    assert 0 < distance(fold(heads, 2, coarse).logits(features), exact) < 2 * off


@pytest.mark.skipif(not FACES64.exists(), reason="no real images beside the project (../shared/data/faces64)")
@pytest.mark.parametrize("group", GROUPS)
@torch.inference_mode()
def test_every_verdict_on_real_images_is_that_of_separate_heads(group: int) -> None:
    scorer = Scorer(read_primary(trained_primary()), [], FLOAT32)
    paths = sorted(path for path in FACES64.rglob("*") if path.suffix in SUFFIXES)
    images = [fit_image(decode_image(path.read_bytes()).pixels, scorer.preprocess.spec) for path in paths[:: len(paths) // 512]]
    features, heads = scorer.features(images), make_heads(40)
    expected, found = (way.logits(features).numpy() for way in (Separate(NO_TRUNK, heads, FLOAT32), fold(heads, group)))
    assert expected.std(axis=0).min() > 0.01  # logits worth the name
    edges = np.quantile(expected[::2], [0.4, 0.6], axis=0).T  # in the middle of the scores, where verdicts are lost most easily
    bands = [Band(low=float(low), high=float(high), negatives=9, positives=9, resolved=True) for low, high in edges]
    titles = [make_generator(f"g{i}").title for i in range(39)]
    verdicts = [[decide(row, bands[0], bands[1:], titles) for row in logits[1::2]] for logits in (expected, found)]
    assert len(verdicts[0]) >= 256
    assert len({verdict.state for verdict in verdicts[0]}) > 1
    assert verdicts[1] == verdicts[0]


def test_a_scorer_runs_trained_heads_either_way() -> None:
    primary = read_primary(trained_primary())
    heads = [read_head(trained_head(make_generator(name)), primary) for name in ("alpha", "beta")]
    images = draw_images("alpha", 9, seed=5)
    separate, folded = (
        Scorer(primary, heads, FLOAT32, executor="separate"),
        Scorer(primary, heads, FLOAT32, executor="folded", tuning=Always(2)),
    )
    assert distance(folded.features(images), separate.features(images)) < 1e-5
    for found, expected in zip(vars(folded.analyse(images)).values(), vars(separate.analyse(images)).values(), strict=True):
        assert distance(torch.from_numpy(found), torch.from_numpy(expected)) < 1e-5
    assert folded.head_count == separate.head_count == len(heads)


def test_large_images_are_run_one_head_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "MAPS_BYTES", 1)
    heads, widths, conv2d = make_heads(), [], functional.conv2d

    def watch(maps: Tensor, weight: Tensor, *arguments: Any, **more: Any) -> Tensor:
        widths.append(len(weight))
        return conv2d(maps, weight, *arguments, **more)

    monkeypatch.setattr(functional, "conv2d", watch)
    fold(heads, 32).logits(draw_features(2))
    assert set(widths) == {32}  # the channels of one head; the tuning was not asked


def measured(seconds: dict[int, float], path: Path, shape: Shape) -> tuple[int, list[int]]:
    """What a tuning chooses where each candidate takes so long, and what it ran."""
    ran: list[int] = []

    def run(candidate: int) -> None:
        ran.append(candidate)
        time.sleep(seconds[candidate])

    return Tuning(path).choose(shape, list(seconds), run), ran


SHAPE = Shape("khoo2022-pixel", FLOAT32, images=33, height=32, width=32, heads=100)
SECONDS = {1: 0.3, 2: 0.002, 4: 0.2}


def test_the_fastest_is_chosen_once_and_remembered(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "engine.json"
    best, ran = measured(SECONDS, path, SHAPE)
    assert (best, ran.count(1), ran.count(4)) == (2, 1, 1)  # what is hopeless is timed once
    assert measured(SECONDS, path, SHAPE) == (2, [])
    assert measured(SECONDS, path, Shape("khoo2022-pixel", FLOAT32, images=64, height=32, width=32, heads=128)) == (2, [])
    assert measured(SECONDS, path, Shape("khoo2022-pixel", FLOAT32, images=65, height=32, width=32, heads=100))[1] != []
    assert len(json.loads(path.read_bytes())) == 2


def test_a_choice_that_is_not_allowed_any_more_is_made_again(tmp_path: Path) -> None:
    measured(SECONDS, tmp_path / "engine.json", SHAPE)
    assert measured({1: 0.001, 4: 0.2}, tmp_path / "engine.json", SHAPE)[0] == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": "b"}', b"\xff\xfe"])
def test_a_foreign_file_is_no_measurement(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "engine.json"
    path.write_bytes(content)
    assert measured(SECONDS, path, SHAPE)[0] == 2


def test_what_cannot_be_remembered_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert measured(SECONDS, tmp_path / "file" / "engine.json", SHAPE)[0] == 2


def test_a_user_without_a_home_measures_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    tuning = Tuning()
    assert tuning.choose(SHAPE, [1, 2], lambda candidate: time.sleep(SECONDS[candidate])) == 2
    assert tuning.choose(SHAPE, [1, 2], lambda _: pytest.fail("measured twice")) == 2
    assert Tuning().choose(SHAPE, [1, 2], lambda candidate: time.sleep(SECONDS[3 - candidate])) == 1


@pytest.mark.parametrize("architecture", ["khoo2022-pixel", "khoo2022-dct"])
@pytest.mark.parametrize("size", [SIZE, 128])
def test_an_image_has_the_same_logits_to_the_last_bit_whatever_is_beside_it(architecture: str, size: int) -> None:
    declared = get_architecture(architecture)
    trunk = build_primary(declared, size, seed=0).eval().trunk
    channels = 3 if declared.representation == "pixel" else 1
    batch = torch.rand(9, channels, size, size, generator=torch.Generator().manual_seed(2))
    heads, maps_size = make_heads(architecture=architecture, size=size), (declared.maps_size(size),) * 2
    found = []
    with torch.inference_mode():
        for group in (1, 2):
            folded = Folded(trunk, heads, FLOAT32, maps_size, Always(group))
            for images in (9, 8, 2, 1):
                features = [folded.features(batch[i : i + images]) for i in range(0, 9, images)]
                found.append(torch.cat([folded.logits(some) for some in features]))
                found.append(torch.cat([folded.analyse(some)[0] for some in features]))
    assert all(torch.equal(logits, found[0]) for logits in found)
