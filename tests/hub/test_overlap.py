"""Heads by sources, and false positives by group."""

from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.pages.false_positives import ALL_PHOTOGRAPHS, list_sections, worst_source
from manyheads_hub.pages.overlap import build_overlap
from manyheads_shared.api import EvaluationInfo, SourceInfo
from tests.hub.test_plots import make_entry
from tests.support.gallery import make_evaluation, make_generator, share

DCGAN = make_generator("dcgan-litalien")


def photographs(evaluation: EvaluationInfo, *sources: SourceInfo) -> EvaluationInfo:
    return evaluation.model_copy(update={"false_positives": [*sources, *evaluation.false_positives]})


def test_columns_stand_by_group_and_catalogued_generators_in_the_order_of_the_rows() -> None:
    overlap = build_overlap([make_entry("wgan-litalien"), make_entry("began-hee9joon")])
    assert [source.group for source in overlap.sources] == ["real"] + ["generated"] * 6 + ["external"] * 5
    assert [source.name for source in overlap.sources][:4] == ["celeba", "wgan-litalien", "began-hee9joon", "began-anantzoid"]


def test_on_its_own_generator_a_head_shows_its_recall() -> None:
    (row,) = build_overlap([make_entry("dcgan-litalien", recall=31)]).rows
    (own,) = (cell for cell in row.cells if cell.own)
    assert own.yes == share(31, 40)


def test_a_source_that_joined_later_is_absent_and_not_zero() -> None:
    older = make_entry("dcgan-litalien")
    known = [item for item in older.evaluation.false_positives if item.source != "wgan-litalien"]
    older = older.model_copy(update={"evaluation": older.evaluation.model_copy(update={"false_positives": known})})
    overlap = build_overlap([older, make_entry("wgan-litalien")])
    (cell,) = (cell for cell in overlap.rows[0].cells if cell.source.name == "wgan-litalien")
    assert cell.yes is None
    assert all(source.name != "wgan-litalien" for source in build_overlap([older]).sources)


def test_an_external_source_of_the_same_name_is_another_source() -> None:
    entry = make_entry("dcgan-litalien")
    namesake = SourceInfo(kind="generated", source="dcgan-litalien", external=True, yes=share(9, 32))
    overlap = build_overlap([entry.model_copy(update={"evaluation": photographs(entry.evaluation, namesake)})])
    assert [(cell.own, cell.yes) for cell in overlap.rows[0].cells if cell.source.name == "dcgan-litalien"] == [
        (True, share(38, 40)),
        (False, share(9, 32)),
    ]


def test_photographs_are_bounded_together_and_generators_one_by_one() -> None:
    more = SourceInfo(kind="real", source="street", external=False, yes=share(3, 50))
    sections = list_sections(photographs(make_evaluation(DCGAN.name, recall=31, real=2), more), DCGAN, Policy.new())
    real, generated, external = sections
    assert [(line.name, line.yes, line.limit) for line in real.lines][:2] == [
        (ALL_PHOTOGRAPHS, share(5, 1300), Policy.new().max_real_upper),
        ("street", share(3, 50), None),
    ]
    assert {line.limit for line in generated.lines} == {Policy.new().max_generator_upper}
    assert {line.limit for line in external.lines} == {None}


def test_a_head_cannot_err_on_its_own_generator() -> None:
    own = SourceInfo(kind="generated", source=DCGAN.name, external=False, yes=share(40, 40))
    evaluation = photographs(make_evaluation(DCGAN.name, recall=31, claims={"lsgan-litalien": 1}), own)
    worst = worst_source(evaluation, DCGAN, external=False)
    assert worst is not None
    assert worst.source == "lsgan-litalien"
    assert DCGAN.name not in {line.name for section in list_sections(evaluation, DCGAN, Policy.new()) for line in section.lines}
