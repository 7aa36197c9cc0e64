from pathlib import Path

import pytest

from manyheads_contributor.audit import observation
from manyheads_contributor.audit.observation import Undecodable, observe, observe_all
from manyheads_shared.dataset import scan_dataset
from tests.support.makers import write_dataset


def test_several_processes_see_what_one_sees_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(tmp_path, {"real/photos": 3, "generated/a": 2})
    (tmp_path / "real/photos/broken.png").write_bytes(b"no image")
    items, ticks = scan_dataset(tmp_path).items, []
    monkeypatch.setattr(observation, "_WORTH_PROCESSES", 0)
    results = observe_all(items, on_image=lambda: ticks.append(1))
    assert len(ticks) == len(items)
    assert [result.item for result in results] == list(items)
    assert [isinstance(result, Undecodable) for result in results] == [item.path.name == "broken.png" for item in items]
    first = observe(items[0])
    assert not isinstance(first, Undecodable)
    assert not isinstance(results[0], Undecodable)
    assert results[0].history == first.history
    assert results[0].values == first.values
