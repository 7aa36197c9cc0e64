"""A new hub is whole or absent, and an existing one is never touched."""

import stat
from pathlib import Path

import pytest

from manyheads_hub import creation
from manyheads_hub.creation import check_new_hub, check_suite_folder, create_hub
from manyheads_hub.evaluations.policy import Policy, read_policy
from manyheads_hub.hub import open_hub
from manyheads_hub.settings import Settings
from manyheads_shared.errors import DatasetError, UsageError
from tests.support.makers import write_dataset


def test_a_new_hub_opens_and_refuses_nothing_of_itself(tmp_path: Path) -> None:
    suite = write_dataset(tmp_path / "suite", {"real/photos": 2, "generated/other": 2})
    create_hub(check_new_hub(tmp_path / "hub", name="lab", suite=suite))
    with open_hub(tmp_path / "hub") as hub:
        assert (hub.settings.name, hub.suite_folder()) == ("lab", suite)
        assert (read_policy(hub.settings.policy), hub.repository.newest_bundle()) == (Policy.new(), None)
    assert (tmp_path / "hub/root.json").read_bytes() == (tmp_path / "hub/tuf/metadata/1.root.json").read_bytes()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    create_hub(check_new_hub(tmp_path / "hub", name="lab", suite=None))
    private = [path for path in (tmp_path / "hub/keys").rglob("*") if path.is_file() and path.suffix != ".pub"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE((tmp_path / "hub").stat().st_mode) == 0o700


def test_a_hub_is_never_overwritten(tmp_path: Path) -> None:
    create_hub(check_new_hub(tmp_path / "hub", name="lab", suite=None))
    with pytest.raises(UsageError, match="never overwritten"):
        check_new_hub(tmp_path / "hub", name="lab", suite=None)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds other things"):
        check_new_hub(tmp_path, name="lab", suite=None)


def test_a_creation_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(settings: Settings, *_: object) -> None:
        (settings.folder / "keys").mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(creation, "_fill", fail)
    with pytest.raises(OSError, match="No space"):
        create_hub(Settings(tmp_path / "hub", "lab"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_creation_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(settings: Settings, *_: object) -> None:
        (settings.folder / "keys").mkdir()
        monkeypatch.setattr("manyheads_hub.creation.shutil.rmtree", lambda *_, **__: None)  # kill -9 cleans up nothing
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(creation, "_fill", die)
        with pytest.raises(KeyboardInterrupt):
            create_hub(Settings(tmp_path / "hub", "lab"))
    monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 1
    create_hub(Settings(tmp_path / "hub", "lab"))
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


@pytest.mark.parametrize("sources", [{"real/photos": 2}, {"generated/other": 2}, {"real/photos": 2, "external/generated/x": 2}])
def test_a_suite_without_both_kinds_is_refused(tmp_path: Path, sources: dict[str, int]) -> None:
    with pytest.raises(DatasetError, match="thresholds need both kinds"):
        check_suite_folder(write_dataset(tmp_path, sources))
