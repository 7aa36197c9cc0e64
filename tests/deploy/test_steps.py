"""Commands of the demo: an answer is kept when it is one."""

from pathlib import Path

import pytest

from deploy.demo.steps import StepError, Steps
from manyheads_shared.keys import generate_key, write_private_key

SHOW = ["manyheads-contributor", "key", "show", "key.pem"]


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    write_private_key(tmp_path / "key.pem", generate_key())
    return Steps(tmp_path)


def test_an_answer_is_kept_and_not_asked_for_again(steps: Steps, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        steps.run("show", [*SHOW, "--json"], cwd=steps.root, makes=steps.root / "key.json", keep=True)
    assert (steps.root / "key.json").read_bytes().startswith(b"{")
    assert capsys.readouterr().out.count("done before") == 1


def test_a_kept_answer_that_is_no_json_is_none(steps: Steps) -> None:
    with pytest.raises(StepError, match=r"(?s)expected JSON.*key id.*run the demo again"):
        steps.run("show", SHOW, cwd=steps.root, makes=steps.root / "key.json", keep=True, answers=(0, 1))
    assert not (steps.root / "key.json").exists()


def test_a_failed_command_is_shown_with_what_it_said_and_what_to_do(steps: Steps) -> None:
    with pytest.raises(StepError, match=r"(?s)exit code 2:.*key new.*run the demo again") as caught:
        steps.run("show", [*SHOW[:-1], "none.pem"], cwd=steps.root, makes=steps.root / "key.json", keep=True)
    assert (steps.logs / "show.log").read_bytes().endswith(b"seconds\n")
    assert str(steps.logs / "show.log") in str(caught.value)
