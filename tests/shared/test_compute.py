import pytest
import torch

from manyheads_shared import __version__
from manyheads_shared.compute import choose_compute, choose_training_compute, software
from manyheads_shared.errors import UsageError


def test_auto_takes_what_is_there() -> None:
    compute = choose_compute()

    assert compute.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert compute.precision == "float32"  # whatever the processor: thresholds hold for one arithmetic


@pytest.mark.parametrize("in_hardware", [True, False])
def test_only_training_chooses_bfloat16_by_itself(monkeypatch: pytest.MonkeyPatch, *, in_hardware: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: in_hardware)

    assert choose_compute("cpu").precision == "float32"
    assert choose_training_compute("cpu", "auto").precision == ("bfloat16" if in_hardware else "float32")
    assert choose_training_compute("cpu", "float32").precision == "float32"


def test_our_float32_is_not_tf32_and_the_programs_choice_comes_back() -> None:
    convolutions, products = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "tf32"  # what a fresh torch does
    try:
        with choose_compute("cpu").arithmetic():
            assert (convolutions.fp32_precision, products.fp32_precision) == ("ieee", "ieee")
        assert convolutions.fp32_precision == "tf32"
    finally:
        convolutions.fp32_precision = before


@pytest.mark.parametrize("device", ["gpu", "meta", "mps", "cpu:x", ""])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match="expected auto, cpu or cuda"):
        choose_compute(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="use --device cpu"):
        choose_compute("cuda")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="expected auto, float32 or bfloat16"):
        choose_compute("cpu", "float16")


@pytest.mark.parametrize(("precision", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_networks_run_in_the_precision_chosen(precision: str, expected: torch.dtype) -> None:
    with choose_compute("cpu", precision).arithmetic():
        product = torch.ones(2, 2) @ torch.ones(2, 2)

    assert product.dtype == expected


def test_device_and_software_are_told_in_words() -> None:
    assert choose_compute("cpu").device_name.startswith("CPU ")
    assert software() == f"manyheads {__version__}, torch {torch.__version__}"
