from typing import Any

import pytest
from pydantic import ValidationError

from manyheads_shared.condition import READINGS, Condition, Stratum, find_usual, strata
from manyheads_shared.rungs import LADDERS, RUNGS, Ladder, Rung

UNTOUCHED: dict[str, Any] = {
    "width": 64,
    "height": 48,
    "jpeg_quality": None,
    "jpeg_from": None,
    "blur": 0.0,
    "noise": 0.0,
    "scale": 1.0,
}

HIDDEN = (Rung("scale", 0.75), Rung("blur", 0.5))


def _condition(**changes: Any) -> Condition:
    return Condition(**(UNTOUCHED | changes))


def _at(ladder: str, strength: float) -> Condition:
    if ladder == "jpeg":
        return _condition(jpeg_quality=round(strength), jpeg_from="traces")
    return _condition(**{ladder: strength})


def test_an_image_without_a_sign_stands_on_no_ladder() -> None:
    assert strata(_condition()) == ()


@pytest.mark.parametrize("ladder", READINGS)
def test_an_estimate_in_the_dead_zone_is_no_sign(ladder: Ladder) -> None:
    assert strata(_at(ladder, READINGS[ladder].dead_zone)) == ()


@pytest.mark.parametrize("rung", [rung for rung in RUNGS if rung.ladder in READINGS and rung not in HIDDEN], ids=str)
def test_an_estimate_at_a_rung_beyond_the_dead_zone_is_placed_on_it(rung: Rung) -> None:
    assert strata(_at(rung.ladder, rung.strength)) == (Stratum(rung.ladder, rung.strength, rung),)


@pytest.mark.parametrize("rung", HIDDEN, ids=str)
def test_a_rung_as_soft_as_unchanged_images_may_be_is_no_sign(rung: Rung) -> None:
    assert strata(_at(rung.ladder, rung.strength)) == ()


@pytest.mark.parametrize(
    ("ladder", "estimate", "strength"),
    [("jpeg", 97, 90), ("jpeg", 80, 75), ("jpeg", 40, 30), ("scale", 0.3, 0.25), ("blur", 1.5, 2), ("noise", 3.5, 5)],
)
def test_between_two_rungs_the_stronger_one_counts(ladder: Ladder, estimate: float, strength: float) -> None:
    assert strata(_at(ladder, estimate)) == (Stratum(ladder, estimate, Rung(ladder, strength)),)


@pytest.mark.parametrize(("ladder", "estimate"), [("jpeg", 20), ("scale", 0.1), ("blur", 4.0), ("noise", 20.0)])
def test_beyond_the_last_rung_no_rung_is_named(ladder: Ladder, estimate: float) -> None:
    assert strata(_at(ladder, estimate)) == (Stratum(ladder, estimate, None),)


def test_an_estimate_just_beyond_a_rung_still_counts_as_on_it() -> None:
    (stratum,) = strata(_condition(noise=2.3))

    assert stratum.rung == Rung("noise", 2)


def test_several_signs_come_in_the_order_of_the_ladders() -> None:
    found = [
        stratum.ladder for stratum in strata(_condition(jpeg_quality=75, jpeg_from="tables", blur=2.0, scale=0.3, noise=9.0))
    ]

    assert found == [ladder for ladder in LADDERS if ladder != "crop"]


@pytest.mark.parametrize("changes", [{"jpeg_quality": 75}, {"jpeg_from": "tables"}])
def test_a_quality_and_where_it_is_from_come_together(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="together or neither"):
        _condition(**changes)


@pytest.mark.parametrize("changes", [{"scale": 0.0}, {"blur": -1.0}, {"noise": float("nan")}, {"crop": 0.1}])
def test_what_no_image_can_have_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _condition(**changes)


def test_a_condition_reads_back_as_it_was_written() -> None:
    condition = _condition(jpeg_quality=75, jpeg_from="tables", blur=1.1)

    assert Condition.model_validate_json(condition.model_dump_json()) == condition


def test_without_a_suite_what_is_usual_is_where_images_at_large_lie() -> None:
    usual = find_usual({})
    assert usual.model_dump() == {ladder: reading.dead_zone for ladder, reading in READINGS.items()}


def test_what_nineteen_of_twenty_images_of_either_kind_show_is_usual() -> None:
    compressed = [_condition(jpeg_quality=70 + i, jpeg_from="tables") for i in range(20)]
    usual = find_usual({"real": compressed, "generated": compressed})
    assert usual.jpeg == 71  # one of the twenty is stronger
    assert strata(_at("jpeg", 71), usual) == ()
    assert strata(_at("jpeg", 70), usual) == (Stratum("jpeg", 70, Rung("jpeg", 50)),)


def test_what_one_kind_alone_shows_is_not_usual() -> None:
    soft, sharp = [_condition(blur=1.5)] * 20, [_condition()] * 20
    assert find_usual({"real": soft, "generated": sharp}) == find_usual({})
    assert find_usual({"real": soft, "generated": []}).blur == 1.5
