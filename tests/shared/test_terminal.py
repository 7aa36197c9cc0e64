import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import errno, sys, time
import typer
from rich.table import Table
from manyheads_shared import errors, terminal

app = typer.Typer()

@app.command()
def fail(name: str, json: bool = False) -> None:
    if name == "no":
        raise typer.Exit(terminal.EXIT_NO)
    if name == "DiskFull":
        raise OSError(errno.ENOSPC, "No space left on device", "/data/blob")
    if name == "HubRefusedError":
        raise errors.HubRefusedError(422, "code", "detail")
    if name == "sleep":
        print("ready", flush=True)
        time.sleep(60)
    if name == "bug":
        raise RuntimeError("a bug of ours")
    if name == "work":
        with terminal.progress() as progress:
            progress.track(range(3), description="working")
        terminal.print_json({"name": "scène \\ud800", "done": True})
    elif name == "print":
        table = Table("source", "reason")
        table.add_row("real/photos", "a reason of many words " * 8)
        terminal.stdout.print("a sentence of many words " * 8)
        terminal.stderr.print("a warning of many words " * 8)
        terminal.stdout.print(table)
    elif hasattr(errors, name):
        raise getattr(errors, name)("[bold]/data/[x]/é.png[/bold]: " + "a long message " * 20)

if __name__ == "__main__":
    terminal.run(app)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(PROGRAM)
    return path


def _run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, timeout=60, check=False)


CODES = {
    "ok": 0,
    "no": 1,
    "ManyheadsError": 1,
    "UsageError": 2,
    "FormatError": 3,
    "SignatureError": 3,
    "HubUnreachableError": 4,
    "HubRefusedError": 4,
    "ImageError": 5,
    "DatasetError": 5,
    "DiskFull": 5,
}


@pytest.mark.parametrize("name", CODES)
def test_a_process_leaves_with_the_documented_code(program: Path, name: str) -> None:
    done = _run(program, name)

    assert done.returncode == CODES[name]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_wrong_usage_leaves_with_2(program: Path) -> None:
    assert _run(program, "--nonsense").returncode == 2


def test_a_message_is_one_line_and_keeps_its_brackets(program: Path) -> None:
    done = _run(program, "ImageError")

    assert done.stderr.startswith("error: [bold]/data/[x]/é.png[/bold]: a long message")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("colour", ["", "1"])
def test_nothing_is_wrapped_or_cut_in_a_pipe(program: Path, colour: str) -> None:
    environment = os.environ | {"COLUMNS": "40"} | ({"FORCE_COLOR": colour} if colour else {})
    done = subprocess.run(
        [sys.executable, program, "print"], capture_output=True, text=True, timeout=60, check=False, env=environment
    )

    sentence, *table = done.stdout.splitlines()
    assert sentence.strip() == ("a sentence of many words " * 8).strip()
    assert done.stderr.count("\n") == 1
    assert sum(("a reason of many words " * 8).strip() in line for line in table) == 1
    assert max(map(len, table)) < 300


def test_with_json_a_failure_is_json_on_stderr_and_nothing_on_stdout(program: Path) -> None:
    done = _run(program, "ImageError", "--json")

    assert json.loads(done.stderr)["error"] == "ImageError"
    assert done.stdout == ""


def test_json_is_all_that_is_on_stdout_and_progress_is_silent_without_a_terminal(program: Path) -> None:
    done = _run(program, "work")

    assert json.loads(done.stdout) == {"name": "scène \ud800", "done": True}
    assert done.stderr == ""


def test_a_bug_of_ours_is_a_traceback(program: Path) -> None:
    done = _run(program, "bug")

    assert done.returncode == 1
    assert "a bug of ours" in done.stderr


def test_the_keyboard_stops_a_process_with_130_and_a_word(program: Path) -> None:
    with subprocess.Popen(
        [sys.executable, program, "sleep"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "run the command again to go on" in stderr
