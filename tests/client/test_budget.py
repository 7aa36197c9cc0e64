from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest

from manyheads_client.budget import Budget

pytestmark = pytest.mark.timeout(30)


def test_threads_together_never_hold_more_than_there_is() -> None:
    budget, lock, held, most = Budget(10), Lock(), 0, 0

    def work(units: int) -> None:
        nonlocal held, most
        with budget.hold(units):
            with lock:
                held += units
                most = max(most, held)
            with lock:
                held -= units

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [1, 7, 3, 10, 4, 6] * 100))
    assert 0 < most <= 10


def test_small_ones_run_beside_each_other_and_a_large_one_waits() -> None:
    budget, done = Budget(10), Event()

    def large() -> None:
        with budget.hold(9):
            done.set()

    with ThreadPoolExecutor(1) as pool:
        with budget.hold(4), budget.hold(4):
            pool.submit(large)
            assert not done.wait(0.1)
        assert done.wait(10)


def test_who_asks_for_more_than_there_is_gets_all_of_it() -> None:
    with Budget(10).hold(1 << 60):
        pass


def test_what_an_error_held_is_given_back() -> None:
    budget = Budget(10)
    with pytest.raises(ZeroDivisionError), budget.hold(10):
        _ = 1 / 0
    with budget.hold(10):
        pass
