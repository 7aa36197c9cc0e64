from benchmarks.paper.cells import DETECTION, HEADS, Cell, list_cells, parents_of, primary_of, profiles_of, start_of
from benchmarks.paper.config import read_config

CONFIG = read_config()
CELLS = list_cells(CONFIG)


def _find(question: str, phase: str, profile: str, trunk: str | None = None) -> Cell:
    (cell,) = (
        cell
        for cell in CELLS
        if (cell.images, cell.representation, cell.seed) == ("faces64", "pixel", CONFIG.seeds[0])
        and (cell.network == "reference" or question not in (DETECTION, HEADS))
        and (cell.network != "ganfp-postpool")
        and (cell.question, cell.phase, cell.profile, cell.trunk) == (question, phase, profile, trunk)
    )
    return cell


def test_parents_come_before_their_children_and_names_are_unique() -> None:
    seen: set[Cell] = set()
    for cell in CELLS:
        assert all(parent in seen for parent in parents_of(cell, CONFIG))
        seen.add(cell)
    assert len({cell.name for cell in CELLS}) == len(CELLS)


def test_detection_on_degraded_images_goes_on_from_clean_ones() -> None:
    assert start_of(_find(DETECTION, "II", "paper-as-run"), CONFIG) == _find(DETECTION, "I", "clean")


def test_clean_heads_stand_on_the_primary_that_saw_every_degradation() -> None:
    heads = _find(HEADS, "III", "clean", "paper-as-run")

    assert primary_of(heads) == _find(DETECTION, "II", "paper-as-run")
    assert start_of(heads, CONFIG) is None


def test_heads_on_all_degradations_go_on_and_heads_on_jpeg_start_afresh_on_the_jpeg_primary() -> None:
    multi, jpeg = (_find(HEADS, "IV", profile, profile) for profile in ("paper-as-run", "paper-as-run-jpeg"))

    assert start_of(multi, CONFIG) == _find(HEADS, "III", "clean", "paper-as-run")
    assert start_of(jpeg, CONFIG) is None
    assert primary_of(jpeg) == _find(DETECTION, "II", "paper-as-run-jpeg")


def test_baselines_have_no_trunk_and_go_on_from_their_clean_selves() -> None:
    question = CONFIG.images["faces64"].twin
    cell = _find(question, "IV", "paper-as-written")

    assert primary_of(cell) is None
    assert start_of(cell, CONFIG) == _find(question, "III", "clean")


def test_everything_is_profiles_of_what_it_was_trained_on() -> None:
    assert all(cell.profile in profiles_of(cell, CONFIG) for cell in CELLS)
