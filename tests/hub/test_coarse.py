import pytest

from manyheads_hub.evaluations.coarse import coarsen, in_steps
from tests.support.gallery import make_evaluation


@pytest.mark.parametrize(
    ("hits", "total", "said"),
    [(0, 40, "none"), (40, 40, "all"), (1, 40, "0 to 5 %"), (9, 100, "5 to 10 %"), (39, 40, "95 to 100 %")],
)
def test_a_share_is_told_by_its_twentieth(hits: int, total: int, said: str) -> None:
    assert in_steps(hits, total) == said


def test_one_image_more_or_less_rarely_shows() -> None:
    told = {coarsen(make_evaluation("dcgan-litalien", recall=recall)).recall.hits for recall in range(41)}
    assert len(told) == 21


def test_coarse_figures_stay_figures() -> None:
    exact = make_evaluation("dcgan-litalien", recall=31)
    coarse = coarsen(exact)
    assert coarse.recall.lower <= coarse.recall.share <= coarse.recall.upper
    assert [item.source for item in coarse.false_positives] == [item.source for item in exact.false_positives]
    assert coarse.threshold * 2 == round(coarse.threshold * 2)
