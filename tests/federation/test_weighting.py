from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads_shared.federation.weighting import influences


def test_equal_weighting_does_not_listen_to_counts() -> None:
    assert influences([1, 1_000_000_000, 5], "equal", 1.0) == pytest.approx([1 / 3] * 3)


def test_a_party_of_many_examples_counts_no_more_than_the_cap() -> None:
    assert influences([100, 100, 100, 9700], "examples", 0.4) == pytest.approx([0.2, 0.2, 0.2, 0.4])


def test_what_the_cap_takes_from_one_may_not_lift_another_above_it() -> None:
    assert influences([10, 60, 900], "examples", 0.4) == pytest.approx([0.2, 0.4, 0.4])


def test_too_few_parties_for_the_cap_are_refused() -> None:
    with pytest.raises(ValueError, match="no whole"):
        influences([1, 1], "equal", 0.4)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30), st.floats(0.01, 1))
def test_shares_are_a_whole_and_keep_the_cap(examples: list[int], cap: float) -> None:
    if cap * len(examples) < 1:
        return
    shares = influences(examples, "examples", cap)
    assert sum(shares) == pytest.approx(1)
    assert max(shares) <= cap + 1e-9
    ordered = [share for _, share in sorted(zip(examples, shares, strict=True))]
    assert all(low <= high + 1e-9 for low, high in pairwise(ordered))  # who has more never counts for less
