"""Saliency as files: tied to records, on one scale, taken up where it stopped, and never outside its folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from typer.testing import CliRunner

from manyheads_client import Attribution, Bundle, attribute
from manyheads_client.analysis import ImageSource
from manyheads_client.cli import app
from manyheads_client.engines.local import LocalEngine
from manyheads_client.engines.port import Options
from manyheads_client.errors import SaliencyError
from manyheads_client.inputs import Item
from manyheads_client.pictures import SCALE_QUANTILE, find_speaking
from manyheads_client.records import RecordFile, read_latest
from manyheads_client.saliency.arrays import read_saliency, stem_of
from manyheads_client.saliency.folder import SaliencyFolder
from manyheads_client.saliency.scale import OverlayScale, ScaleFinder
from manyheads_client.scan import scan
from manyheads_shared.errors import UsageError
from manyheads_shared.evidence import Examined
from tests.support.image_files import encode

HOSTILE = (
    "../../../etc/passwd",
    "/etc/passwd",
    "a.zip!/..\\..\\boot.ini",
    "..",
    ".bashrc",
    "",
    "-rf",
    "a\nb\x00c",
    "猫.png",
    "x" * 4000,
)


def run(lab: Path, folder: Path, jsonl: Path, *options: str) -> str:
    arguments = ["attribute", str(lab / "images"), "--store", str(lab / "store"), "--device", "cpu"]
    result = CliRunner().invoke(app, [*arguments, "--jsonl", str(jsonl), "--saliency", str(folder), *options])
    assert result.exit_code == 0, result.output
    return result.output


def times_of(folder: Path, pattern: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob(pattern)}


def add(folder: SaliencyFolder, bundle: Bundle, source: ImageSource) -> Examined:
    (result,) = attribute([source], bundle, device="cpu", saliency=True)
    assert isinstance(result, Attribution)
    folder.add(result)
    return result.entry


def test_every_record_has_its_maps_and_they_are_those_of_the_library(bundle: Bundle, lab: Path, tmp_path: Path) -> None:
    run(lab, tmp_path / "maps", tmp_path / "scan.jsonl")
    paths = sorted((lab / "images").iterdir())
    for record, result in zip(
        read_latest(tmp_path / "scan.jsonl"), attribute(paths, bundle, device="cpu", saliency=True), strict=True
    ):
        assert isinstance(record, Examined)
        assert isinstance(result, Attribution)
        assert result.saliency is not None
        found = read_saliency(tmp_path / "maps" / f"{stem_of(record.name)}.safetensors")
        np.testing.assert_allclose(found.maps, result.saliency, rtol=1e-5)
        assert found.manifest.pixels == record.record.item.pixels
        assert found.manifest.instrument == record.record.instrument
        assert found.manifest.networks == ("detector", *bundle.generators)


def test_overlays_are_of_what_speaks_and_say_what_they_show(lab: Path, tmp_path: Path) -> None:
    output = run(lab, tmp_path / "maps", tmp_path / "scan.jsonl")
    said = OverlayScale.from_bytes((tmp_path / "maps" / "scale.json").read_bytes())
    assert f"overlays of 40, colours to {said.scale:g} logits" in output
    assert (said.given, said.images) == (False, 40)
    for record in read_latest(tmp_path / "scan.jsonl"):
        assert isinstance(record, Examined)
        names = {path.name for path in (tmp_path / "maps").glob(f"{stem_of(record.name)}.*.png")}
        assert names == {f"{stem_of(record.name)}.{title}.png" for title, _ in find_speaking(record)}
        with Image.open(tmp_path / "maps" / f"{stem_of(record.name)}.detector.png") as image:
            assert isinstance(image, PngImageFile)
            tied = {"pixels": record.record.item.pixels, "instrument": record.record.instrument}
            assert json.loads(image.text["manyheads"]) == {"network": "detector", "scale": said.scale} | tied


def test_a_scan_taken_up_again_makes_nothing_twice(lab: Path, tmp_path: Path) -> None:
    folder, jsonl = tmp_path / "maps", tmp_path / "scan.jsonl"
    run(lab, folder, jsonl)
    lost = sorted(folder.glob("*.safetensors"))[:3]
    before = times_of(folder, "*.png") | times_of(folder, "*.safetensors")
    for path in lost:
        path.unlink()
    assert "3 images in" in run(lab, folder, jsonl)
    after = times_of(folder, "*.png") | times_of(folder, "*.safetensors")
    changed = {name for name in before if before[name] != after[name]}
    assert {path.name for path in lost} <= changed
    assert all(name.startswith(tuple(path.stem for path in lost)) for name in changed)


def test_records_of_a_scan_without_saliency_get_theirs(lab: Path, tmp_path: Path) -> None:
    arguments = ["attribute", str(lab / "images"), "--store", str(lab / "store"), "--device", "cpu"]
    CliRunner().invoke(app, [*arguments, "--jsonl", str(tmp_path / "scan.jsonl")])
    assert "40 images in" in run(lab, tmp_path / "maps", tmp_path / "scan.jsonl")
    assert "Nothing was left to examine" in run(lab, tmp_path / "maps", tmp_path / "scan.jsonl")


def test_what_cannot_be_examined_is_not_tried_again(bundle: Bundle, tmp_path: Path) -> None:
    folder, items = SaliencyFolder(tmp_path / "maps"), [Item("broken", 1, lambda: b"x")]
    engine = LocalEngine(bundle, Options(device="cpu"), saliency=folder)
    for passed in (0, 1):
        with RecordFile(tmp_path / "scan.jsonl", bundle.verified.digest) as file:
            assert scan(items, file, engine, saliency=folder).passed == passed


def test_maps_are_for_the_local_engine_alone(lab: Path, tmp_path: Path) -> None:
    arguments = ["attribute", str(lab / "images"), "--store", str(lab / "store"), "--engine", "ray"]
    result = CliRunner().invoke(app, [*arguments, "--saliency", str(tmp_path / "maps")])
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "maps").exists()


def test_another_scale_draws_anew_and_is_written_down(lab: Path, tmp_path: Path) -> None:
    folder, jsonl = tmp_path / "maps", tmp_path / "scan.jsonl"
    run(lab, folder, jsonl, "--saliency-scale", "0.5")
    first = times_of(folder, "*.detector.png")
    run(lab, folder, jsonl, "--saliency-scale", "0.5")
    assert times_of(folder, "*.detector.png") == first
    run(lab, folder, jsonl, "--saliency-scale", "2")
    assert not set(first.values()) & set(times_of(folder, "*.detector.png").values())
    said = OverlayScale.from_bytes((folder / "scale.json").read_bytes())
    assert (said.scale, said.given) == (2.0, True)


def test_an_image_that_changed_keeps_no_picture_of_before(bundle: Bundle, lab: Path, tmp_path: Path) -> None:
    folder, path = SaliencyFolder(tmp_path / "maps", scale=1.0), tmp_path / "a.png"
    path.write_bytes((lab / "images" / "001.png").read_bytes())
    first = add(folder, bundle, path)
    folder.draw(lambda: [first])
    path.write_bytes((lab / "images" / "000.png").read_bytes())
    second = add(folder, bundle, path)
    assert not list(folder.path.glob("*.detector.png"))
    assert folder.draw(lambda: [first]).images == 0  # the maps are of the other picture
    assert folder.draw(lambda: [second]).images == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leaves_the_folder(bundle: Bundle, lab: Path, tmp_path: Path, name: str) -> None:
    data = (lab / "images" / "000.png").read_bytes()
    folder = SaliencyFolder(tmp_path / "deep" / "maps", scale=1.0)
    entry = add(folder, bundle, Item(name, len(data), lambda: data))
    folder.draw(lambda: [entry])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert all(path.parent == folder.path and len(path.name) < 200 and not path.name.startswith((".", "-")) for path in files)


def test_two_names_have_two_files() -> None:
    names = [*HOSTILE, "a/x.png", "b/x.png", "a\\x.png", "X.png", "x.png", "a/x\udcff.png"]
    assert len({stem_of(name).lower() for name in names}) == len(names)


def test_the_scale_is_the_quantile_of_all_values() -> None:
    finder, draw = ScaleFinder(), np.random.default_rng(1)
    maps = [draw.normal(0, spread, (2, 8, 8)).astype(np.float32) for spread in (0.1, 1, 3)] * 20
    for each in maps:
        finder.add(each)
    exact = np.quantile(np.abs(np.concatenate([each.ravel() for each in maps])), SCALE_QUANTILE)
    assert finder.find() == pytest.approx(exact, rel=0.05)


def test_maps_of_nothing_but_zeros_have_no_scale() -> None:
    finder = ScaleFinder()
    assert finder.find() is None
    finder.add(np.zeros((1, 4, 4), dtype=np.float32))
    assert finder.find() is None


def test_a_file_that_is_no_saliency_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(encode(Image.new("RGB", (32, 32))))
    with pytest.raises(SaliencyError, match="expected a saliency file"):
        read_saliency(tmp_path / "a.safetensors")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused_at_once(tmp_path: Path, scale: float) -> None:
    with pytest.raises(UsageError, match="--saliency-scale"):
        SaliencyFolder(tmp_path, scale).verify()


def test_a_folder_that_is_a_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(UsageError, match="expected a folder"):
        SaliencyFolder(tmp_path / "taken").verify()


def test_a_scale_without_a_folder_is_refused(lab: Path) -> None:
    result = CliRunner().invoke(app, ["attribute", str(lab / "images"), "--store", str(lab / "store"), "--saliency-scale", "1"])
    assert isinstance(result.exception, UsageError)
