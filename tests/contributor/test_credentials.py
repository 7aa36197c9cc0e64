from pathlib import Path

import pytest

from manyheads_contributor.credentials import read_token
from manyheads_shared.errors import UsageError


def test_the_file_comes_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mh_file\n")
    assert read_token(tmp_path / "token", {"MANYHEADS_TOKEN": "mh_environment"}) == "mh_file"
    assert read_token(None, {"MANYHEADS_TOKEN": "mh_environment"}) == "mh_environment"


@pytest.mark.parametrize("content", ["", "\n", "mh_a mh_b", "mh_ü"])
def test_what_cannot_be_a_token_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(UsageError, match="token"):
        read_token(tmp_path / "token", {})


def test_no_token_says_where_it_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="MANYHEADS_TOKEN"):
        read_token(None, {})
    with pytest.raises(UsageError, match="none"):
        read_token(tmp_path / "none", {})
