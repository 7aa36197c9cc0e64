"""hub.toml: read strictly, written so that it reads back the same."""

from pathlib import Path

import pytest

from manyheads_hub.settings import Limits, Settings
from manyheads_shared.errors import UsageError


def test_settings_read_back_as_they_were_written(tmp_path: Path) -> None:
    settings = Settings(tmp_path, "lab", tmp_path / 'su"ite', Limits(upload_bytes=7))
    settings.write()
    assert Settings.read(tmp_path) == settings


def test_a_suite_may_lie_beside_the_hub(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('name = "lab"\nsuite = "images"\n')
    assert Settings.read(tmp_path).suite == tmp_path / "images"


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("name = 3", "expected a hub's name"),
        ("", "expected a hub's name"),
        ('name = "Lab"', "expected a hub's name"),
        ("name", "expected TOML"),
        ('name = "lab"\nsuites = "x"', "unknown key 'suites'"),
        ('name = "lab"\nsuite = 3', "expected the path of a folder"),
        ('name = "lab"\nlimits = 3', "expected a table"),
        ('name = "lab"\n[limits]\nupload_byte = 3', "unknown key 'upload_byte'"),
        ('name = "lab"\n[limits]\nupload_bytes = 0', "limits.upload_bytes: expected a whole number above 0"),
        ('name = "lab"\n[limits]\nupload_bytes = true', "limits.upload_bytes: expected a whole number above 0"),
        ('name = "lab"\n[limits]\nupload_bytes = "8"', "limits.upload_bytes: expected a whole number above 0"),
    ],
)
def test_wrong_settings_are_refused_with_the_key(tmp_path: Path, toml: str, reason: str) -> None:
    (tmp_path / "hub.toml").write_text(toml)
    with pytest.raises(UsageError, match=reason):
        Settings.read(tmp_path)


def test_a_folder_without_a_hub_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="manyheads-hub init"):
        Settings.read(tmp_path)
