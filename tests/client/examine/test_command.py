"""`manyheads examine` as a user types it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from manyheads_client.examine.serving import listen

COMMAND = [sys.executable, "-c", "from manyheads_client.cli import main; main()", "examine"]


@contextmanager
def examining(lab: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A page being served, and its address."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, "--store", str(lab / "store"), "--device", "cpu", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            line = next((line for line in process.stdout if line.startswith("Examining at ")), "")
            yield process, line.removeprefix("Examining at ").strip()
        finally:
            process.kill()


def test_it_prints_an_address_that_opens_and_ends_by_the_keyboard(lab: Path) -> None:
    with examining(lab, "--no-browser") as (process, address):
        answer = httpx.get(address, trust_env=False)
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=60)

    assert answer.status_code == 200
    assert address.startswith("http://127.0.0.1:")
    assert process.returncode == 0
    assert "Traceback" not in complaints


def test_a_browser_is_given_another_address_than_the_terminal(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other users of the machine can read what a browser is started with."""
    browser, told = tmp_path / "browser", tmp_path / "told"
    os.mkfifo(told)
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    with examining(lab) as (_, address):
        given = told.read_text().strip()
        first, second = httpx.get(given, trust_env=False), httpx.get(given, trust_env=False)

    assert given != address
    assert (first.status_code, second.status_code) == (303, 403)
    assert address.endswith(first.headers["location"])


def test_a_port_that_is_taken_is_told_at_once(lab: Path) -> None:
    with listen(0) as taken:
        port = str(taken.getsockname()[1])
        command = [*COMMAND, "--store", str(lab / "store"), "--no-browser", "--device", "cpu", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "choose another --port" in done.stderr
