import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from manyheads_contributor.cli import app
from tests.support.pictures import draw_pictures


def _write(root: Path, suffix: str) -> Path:
    for seed, (source, kind) in enumerate((("real/photos", suffix), ("generated/a", "png"), ("generated/b", "png"))):
        (root / source).mkdir(parents=True)
        for i, pixels in enumerate(draw_pictures(40, size=32, seed=seed)):
            Image.fromarray(pixels).save(root / source / f"{i}.{kind}")
    return root


def test_a_blatant_confounder_gives_exit_code_1_and_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    result = CliRunner().invoke(app, ["audit", str(_write(tmp_path, "jpg"))])
    assert result.exit_code == 1
    assert "verdict: blatant" in result.stdout
    assert "[/]" not in result.stdout
    assert "save all images through one path" in result.stdout


def test_file_names_and_patterns_are_printed_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    folder = tmp_path / "[red]" / "real/photos"
    folder.mkdir(parents=True)
    for epoch in range(2):
        for i, pixels in enumerate(draw_pictures(20, size=32)):
            Image.fromarray(pixels).save(folder / f"epoch{epoch}-latent{i:02d}.png")
    (folder / "[bold]broken[bold].png").write_bytes(b"no image")
    words = CliRunner().invoke(app, ["audit", str(tmp_path / "[red]")], catch_exceptions=False).stdout
    assert "for instance [bold]broken[bold].png" in words
    assert r"'group_pattern=latent[-_]?(\d+)'" in words
    assert "[red]:whatisthere" in "".join(words.split())  # wrapped wherever the path is too long


def test_json_is_complete_and_alone_on_stdout(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["audit", str(_write(tmp_path, "png")), "--json"])
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["level"] == "notable"  # forty images a source are few
    assert {source["source"] for source in report["sources"]} == {"real/photos", "generated/a", "generated/b"}
    assert {f["question"] for f in report["findings"] if f["check"] == "8x8 grid"} == {
        "real or generated",
        "a or the rest",
        "b or the rest",
    }
