import csv
from pathlib import Path

import numpy as np
from PIL import Image

from manyheads_contributor.checkpoint import Epoch
from manyheads_contributor.plots import write_curve, write_history

HISTORY = tuple(Epoch(i, 1e-3, 1 / i, 1.1 / i, None if i == 1 else 0.9, 0.9, 880.0, 1.0) for i in range(1, 6))


def test_the_table_has_a_line_for_each_epoch(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", HISTORY)
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert float(rows[2]["val_loss"]) == 1.1 / 3
    assert rows[0]["val_f1"] == ""


def test_the_picture_shows_both_losses(tmp_path: Path) -> None:
    write_curve(tmp_path / "curve.png", HISTORY, "head for alpha")
    picture = np.asarray(Image.open(tmp_path / "curve.png").convert("RGB"))
    assert picture.shape[1] > 1000
    for colour in ((0x1F, 0x6F, 0x8B), (0xD1, 0x49, 0x5B)):
        assert (picture == colour).all(axis=-1).sum() > 200


def test_a_single_epoch_is_still_visible(tmp_path: Path) -> None:
    write_curve(tmp_path / "curve.png", HISTORY[:1], "head for alpha")
    picture = np.asarray(Image.open(tmp_path / "curve.png").convert("RGB"))
    assert (picture == (0x1F, 0x6F, 0x8B)).all(axis=-1).sum() > 10
