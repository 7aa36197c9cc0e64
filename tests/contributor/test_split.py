from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from manyheads_contributor.split import Split, split_dataset
from manyheads_shared.dataset import Item, scan_dataset
from manyheads_shared.errors import DatasetError, UsageError
from tests.support.makers import write_dataset
from tests.support.pictures import draw_pictures


def _write(folder: Path, count: int, *, seed: int = 0, name: str = "{}.png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(draw_pictures(count, size=32, seed=seed)):
        Image.fromarray(pixels).save(folder / name.format(i))


def _sides(split: Split) -> dict[str, str]:
    return {item.digest: side for side in ("train", "val", "test") for item in getattr(split, side)}


def _count(items: tuple[Item, ...]) -> Counter[str]:
    return Counter(item.source for item in items)


def test_every_image_falls_on_one_side_and_external_ones_on_none(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"real/photos": 40, "generated/a": 40, "external/real/others": 10})
    split = split_dataset(scan_dataset(tmp_path))
    assert len(split.train) + len(split.val) + len(split.test) == len(_sides(split)) == 80
    assert "others" not in _count(split.train + split.val + split.test)


def test_names_and_order_change_nothing(tmp_path: Path) -> None:
    _write(tmp_path / "one/real/photos", 30)
    _write(tmp_path / "two/real/photos", 30, name="z{}.png")
    one, two = (split_dataset(scan_dataset(tmp_path / root)) for root in ("one", "two"))
    assert _sides(one) == _sides(two)
    assert one.digest == two.digest


def test_new_images_move_no_other(tmp_path: Path) -> None:
    _write(tmp_path / "real/photos", 40)
    before = _sides(split_dataset(scan_dataset(tmp_path)))
    _write(tmp_path / "real/photos", 30, seed=1, name="new{}.png")
    after = _sides(split_dataset(scan_dataset(tmp_path)))
    assert {digest: after[digest] for digest in before} == before


def test_another_seed_is_another_split(tmp_path: Path) -> None:
    _write(tmp_path / "real/photos", 40)
    dataset = scan_dataset(tmp_path)
    assert _sides(split_dataset(dataset)) != _sides(split_dataset(dataset, seed=1))


def test_a_resaved_copy_stays_with_its_original_even_in_another_source(tmp_path: Path) -> None:
    _write(tmp_path / "real/photos", 60)
    copies = tmp_path / "real/copies"
    copies.mkdir()
    for path in (tmp_path / "real/photos").iterdir():
        Image.open(path).save(copies / f"{path.stem}.jpg", quality=60)
    dataset = scan_dataset(tmp_path)
    sides = _sides(split_dataset(dataset))
    by_name = {(item.source, item.path.stem): sides[item.digest] for item in dataset.items}
    assert all(by_name["copies", str(i)] == by_name["photos", str(i)] for i in range(60))
    assert len(set(by_name.values())) == 3


def test_a_group_pattern_keeps_a_latent_together_within_its_source(tmp_path: Path) -> None:
    for epoch in range(3):
        _write(tmp_path / "generated/a", 30, seed=epoch, name=f"epoch{epoch}-latent{{}}.png")
    _write(tmp_path / "real/photos", 30, seed=9)
    dataset = scan_dataset(tmp_path)
    split = split_dataset(dataset, group_pattern=r"latent(\d+)")
    sides = _sides(split)
    seen: dict[str, set[str]] = {}
    for item in dataset.select(source="a"):
        seen.setdefault(item.path.stem.split("-")[1], set()).add(sides[item.digest])
    assert all(len(found) == 1 for found in seen.values())
    assert sum(split.groups.values()) == 60
    assert split.groups["test"] < len(split.test)


def test_shares_are_near_the_fractions(tmp_path: Path) -> None:
    _write(tmp_path / "real/photos", 300)
    split = split_dataset(scan_dataset(tmp_path), fractions=(0.5, 0.25, 0.25))
    assert [len(split.train), len(split.val), len(split.test)] == pytest.approx([150, 75, 75], abs=30)


def test_a_small_source_has_an_image_on_every_side(tmp_path: Path) -> None:
    write_dataset(tmp_path, {f"generated/g{i}": 3 for i in range(5)})
    split = split_dataset(scan_dataset(tmp_path))
    assert all(len(_count(side)) == 5 for side in (split.train, split.val, split.test))


def test_an_undecodable_image_is_left_out_with_its_reason(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"real/photos": 10})
    (tmp_path / "real/photos/broken.png").write_bytes(b"no image")
    split = split_dataset(scan_dataset(tmp_path))
    assert [entry.item.path.name for entry in split.left_out] == ["broken.png"]
    assert "expected a PNG, JPEG or WebP" in split.left_out[0].reason


@pytest.mark.parametrize("pattern", ["latent", "(", r"latent(\d+)"])
def test_a_useless_group_pattern_is_refused(tmp_path: Path, pattern: str) -> None:
    write_dataset(tmp_path, {"real/photos": 3})
    with pytest.raises(UsageError, match="group pattern"):
        split_dataset(scan_dataset(tmp_path), group_pattern=pattern)


def test_fractions_must_add_up_to_one(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"real/photos": 3})
    with pytest.raises(UsageError, match="add up to 1"):
        split_dataset(scan_dataset(tmp_path), fractions=(0.7, 0.1, 0.1))


def test_only_external_images_cannot_be_split(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"external/real/others": 3})
    with pytest.raises(DatasetError, match="outside external"):
        split_dataset(scan_dataset(tmp_path))
