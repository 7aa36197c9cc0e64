"""Clients of a hub in processes of their own, several in each, all let go at one moment.

A crowd's program is a module of this package: it prints `ready`, waits for a line, does its work in threads, and prints one
line of JSON, a list; and again for every further line.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

PROCESSES = 4  # at most: python itself takes 80 MB of memory for each

T = TypeVar("T")


class Crowd:
    """Processes that wait."""

    def __init__(self, module: str, shares: Sequence[Sequence[str]]) -> None:
        command = [sys.executable, "-m", f"benchmarks.hub_load.{module}"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self._processes = [
            subprocess.Popen([*command, *share], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            for share in shares
        ]
        for process in self._processes:
            assert _read(process) == "ready"

    def go(self) -> list[dict[str, Any]]:
        """Let all go at once, and gather what each did."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [result for process in self._processes for result in json.loads(_read(process))]

    def end(self) -> None:
        """End every process: one that waits goes by itself, one that is at work when the run is ended is stopped."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait(10)
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def waiting_crowd(module: str, shares: Sequence[Sequence[str]]) -> Iterator[Crowd]:
    """Start processes, and end them after the block.

    Args:
        shares: the arguments of each.
    """
    crowd = Crowd(module, shares)
    try:
        yield crowd
    finally:
        crowd.end()


def share_out(items: Sequence[T]) -> list[list[T]]:
    """Split items among processes."""
    return [list(items[i::PROCESSES]) for i in range(min(PROCESSES, len(items)))]


def serve_crowd(members: Sequence[str], work: Callable[[str], dict[str, Any]]) -> None:
    """Be one of the processes: work for every member at once, whenever a line comes."""
    print("ready", flush=True)
    with ThreadPoolExecutor(len(members)) as pool:
        for _ in sys.stdin:
            print(json.dumps(list(pool.map(work, members))), flush=True)


def _read(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, f"{process.args!r}: ended with {process.poll()}"
    return line
