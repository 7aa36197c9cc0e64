import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads_contributor.audit import AuditReport, Finding, Level, audit_dataset
from manyheads_contributor.recipe import load_recipe
from manyheads_contributor.split import split_dataset
from manyheads_shared.dataset import scan_dataset
from manyheads_shared.errors import DatasetError
from manyheads_shared.image import Pixels
from tests.support.pictures import draw_pictures, with_stripes

Save = Callable[[Image.Image, Path], object]
COUNT = 60


def _png(image: Image.Image, path: Path) -> None:
    image.save(path.with_suffix(".png"))


def _write(root: Path, source: str, *, seed: int, save: Save = _png, count: int = COUNT, name: str = "{}") -> list[Pixels]:
    folder = root / source
    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw_pictures(count, size=48, seed=seed)
    for i, pixels in enumerate(pictures):
        save(Image.fromarray(pixels), folder / name.format(i))
    return pictures


def _audit(root: Path) -> AuditReport:
    return audit_dataset(scan_dataset(root))


def _find(report: AuditReport, check: str, question: str = "real or generated") -> Finding:
    return next(finding for finding in report.findings if (finding.check, finding.question) == (check, question))


def test_equal_histories_are_fine(tmp_path: Path) -> None:
    _write(tmp_path, "real/photos", seed=1)
    _write(tmp_path, "generated/a", seed=2)
    report = _audit(tmp_path)
    assert {finding.check for finding in report.findings if finding.level} == {"number of images"}


def test_reals_as_jpeg_and_generated_as_png_is_blatant_and_says_how_to_mend_it(tmp_path: Path) -> None:
    _write(tmp_path, "real/photos", seed=1, save=lambda image, path: image.save(path.with_suffix(".jpg"), quality=90))
    _write(tmp_path, "generated/a", seed=2)
    finding = _find(_audit(tmp_path), "file format")
    assert finding.level == Level.BLATANT
    assert finding.figure == 1
    assert finding.seen == "generated: PNG 100 %; real: JPEG 100 %"
    assert "save all images through one path" in finding.advice


def test_jpegs_of_two_qualities_are_blatant(tmp_path: Path) -> None:
    _write(tmp_path, "real/photos", seed=1, save=lambda image, path: image.save(path.with_suffix(".jpg"), quality=90))
    _write(tmp_path, "generated/a", seed=2, save=lambda image, path: image.save(path.with_suffix(".jpg"), quality=80))
    report = _audit(tmp_path)
    assert _find(report, "JPEG tables").level == Level.BLATANT
    assert _find(report, "file format").level == Level.FINE


def test_a_jpeg_history_hidden_in_lossless_files_is_found(tmp_path: Path) -> None:
    def through_jpeg(image: Image.Image, path: Path) -> None:
        jpeg = path.with_suffix(".tmp")
        image.save(jpeg, "JPEG", quality=60)
        Image.open(jpeg).save(path.with_suffix(".png"))
        jpeg.unlink()

    _write(tmp_path, "real/photos", seed=1, save=through_jpeg)
    _write(tmp_path, "generated/a", seed=2)
    report = _audit(tmp_path)
    assert _find(report, "file format").level == Level.FINE
    assert _find(report, "JPEG step fit").level == Level.BLATANT
    assert "q60" in _find(report, "earlier JPEG").seen


def test_a_generators_own_pattern_of_period_8_fails_no_audit(tmp_path: Path) -> None:
    def stripe(image: Image.Image, path: Path) -> None:
        Image.fromarray(with_stripes(np.asarray(image), 8, 24)).save(path.with_suffix(".png"))

    _write(tmp_path, "real/photos", seed=1)
    _write(tmp_path, "generated/a", seed=2, save=stripe)
    report = _audit(tmp_path)
    finding = _find(report, "8x8 grid")
    assert finding.separation is not None
    assert finding.separation.lower > 0.9
    assert finding.level == report.level == Level.NOTABLE
    assert "the generator's own pattern" in finding.advice


def test_a_generator_stretched_to_the_full_range_is_singled_out(tmp_path: Path) -> None:
    def stretch(image: Image.Image, path: Path) -> None:
        pixels = np.asarray(image).astype(np.float64)
        wide = (pixels - pixels.min()) / np.ptp(pixels) * 255
        Image.fromarray(wide.round().astype(np.uint8)).save(path.with_suffix(".png"))

    def narrow(image: Image.Image, path: Path) -> None:
        Image.fromarray(np.clip(np.asarray(image), 5, 250)).save(path.with_suffix(".png"))

    _write(tmp_path, "real/photos", seed=1, save=narrow)
    _write(tmp_path, "generated/a", seed=2, save=narrow)
    _write(tmp_path, "generated/b", seed=3, save=stretch)
    finding = _find(_audit(tmp_path), "value range", "b or the rest")
    assert finding.level == Level.BLATANT
    assert finding.seen.startswith("b: exactly 0..255 100 %")


def test_external_images_with_another_history_are_notable_never_blatant(tmp_path: Path) -> None:
    _write(tmp_path, "real/photos", seed=1)
    _write(tmp_path, "generated/a", seed=2)
    _write(
        tmp_path, "external/generated/b", seed=3, save=lambda image, path: image.save(path.with_suffix(".webp"), lossless=True)
    )
    assert _find(_audit(tmp_path), "file format", "external generated or generated").level == Level.NOTABLE


def test_a_picture_in_both_classes_is_blatant_and_named(tmp_path: Path) -> None:
    _write(tmp_path, "real/photos", seed=1)
    _write(tmp_path, "generated/a", seed=2)
    _write(tmp_path, "generated/a", seed=1, count=1, name="copy{}")
    finding = _find(_audit(tmp_path), "copies across classes")
    assert finding.level == Level.BLATANT
    assert "generated/a/copy0.png and real/photos/0.png" in finding.seen


def test_a_held_out_copy_is_blatant(tmp_path: Path) -> None:
    _write(tmp_path, "real/photos", seed=1)
    _write(
        tmp_path, "external/real/others", seed=1, save=lambda image, path: image.resize((40, 40)).save(path.with_suffix(".png"))
    )
    assert _find(_audit(tmp_path), "copies into external", "external or trained on").level == Level.BLATANT


def test_recurring_pictures_suggest_the_group_pattern_in_their_names(tmp_path: Path) -> None:
    for epoch in range(3):
        _write(tmp_path, "generated/a", seed=1, count=20, name=f"epoch{epoch}-latent{{:03d}}")
    finding = _find(_audit(tmp_path), "copies within a source", "generated/a")
    assert finding.level == Level.NOTABLE
    suggested = re.search(r"--set '(.+?)'", finding.advice)
    assert suggested
    pattern = load_recipe("quick", [suggested[1]]).group_pattern
    assert pattern == r"latent[-_]?(\d+)"
    assert sum(split_dataset(scan_dataset(tmp_path), group_pattern=pattern).groups.values()) == 20


def test_undecodable_files_are_counted_and_named(tmp_path: Path) -> None:
    _write(tmp_path, "real/photos", seed=1)
    (tmp_path / "real/photos/broken.png").write_bytes(b"no image")
    report = _audit(tmp_path)
    finding = _find(report, "undecodable files", "real/photos")
    assert finding.level == Level.NOTABLE
    assert "1 of 61 files" in finding.seen
    assert [entry.item.path.name for entry in report.undecodable] == ["broken.png"]


def test_imbalance_and_small_sources_are_notable(tmp_path: Path) -> None:
    _write(tmp_path, "real/photos", seed=1, count=90)
    _write(tmp_path, "generated/a", seed=2, count=30)
    report = _audit(tmp_path)
    assert _find(report, "balance").level == Level.NOTABLE
    assert _find(report, "number of images", "generated/a").level == Level.NOTABLE


def test_nothing_decodable_cannot_be_audited(tmp_path: Path) -> None:
    (tmp_path / "real/photos").mkdir(parents=True)
    (tmp_path / "real/photos/broken.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match="none of 1 images"):
        _audit(tmp_path)


def test_one_class_alone_is_audited_for_copies_and_counts(tmp_path: Path) -> None:
    _write(tmp_path, "generated/a", seed=2)
    report = _audit(tmp_path)
    assert {finding.check for finding in report.findings} == {
        "copies within a source",
        "copies across classes",
        "copies into external",
        "number of images",
    }
