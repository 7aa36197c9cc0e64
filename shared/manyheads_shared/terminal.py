"""What the three command lines have in common: one catch, one exit code, progress on stderr, JSON on stdout.

On a terminal text is wrapped at its width. In a pipe or a file nothing is: a line is a line, and a table as wide as it needs.

Exit codes: 0 done · 1 done, and the answer is no (a blatant confounder, a refused head, a failed check) · 2 wrong usage ·
3 a format or verification error · 4 the hub cannot be reached or refused · 5 the data cannot be used · 130 interrupted.
"""

import errno
import json
import sys
import warnings
from typing import Any

import typer
from rich.console import Console, ConsoleDimensions
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from manyheads_shared.errors import ManyheadsError

EXIT_NO = 1
EXIT_DISK_FULL = 5
EXIT_INTERRUPTED = 130

_UNBOUNDED = 1_000_000  # columns: wider than anything printed


class _Console(Console):
    """A console as wide as its terminal, or without bound where there is none to be as wide as."""

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and rows."""
        known = super().size
        return known if self.file.isatty() else ConsoleDimensions(_UNBOUNDED, known.height)

    @size.setter
    def size(self, dimensions: tuple[int, int]) -> None:
        self._width, self._height = dimensions


# no markup: what is printed was often written by others, and a bracket of theirs is a bracket
stdout = _Console(highlight=False, emoji=False, markup=False)
stderr = _Console(stderr=True, highlight=False, emoji=False, markup=False)


def run(app: typer.Typer) -> None:
    """Run a command line: `ManyheadsError` becomes one message and its exit code; a traceback means a bug of ours."""
    silence_pillow()
    try:
        app()
    except ManyheadsError as error:
        _complain(type(error).__name__, str(error))
        sys.exit(error.exit_code)
    except SystemExit as leaving:  # typer leaves with 130 on Ctrl-C, without a word
        if leaving.code == EXIT_INTERRUPTED:
            _complain("Interrupted", "stopped by the keyboard; what was finished is kept, run the command again to go on")
        raise
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _complain(
            "DiskFull",
            f"no space left on the disk{f' at {error.filename}' if error.filename else ''}; nothing is half-written",
        )
        sys.exit(EXIT_DISK_FULL)


def silence_pillow() -> None:
    """Let Pillow say nothing of damaged metadata, in a process that is ours: it is no reason to refuse sound pixels."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


def print_json(value: Any) -> None:
    """Print one JSON value on stdout, the only thing `--json` prints there."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def progress(*, in_bytes: bool = False, rate: bool = False) -> Progress:
    """A progress display on stderr, counting items or bytes; nothing when stderr is not a terminal.

    Args:
        rate: also show how many items a second.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn() if in_bytes else MofNCompleteColumn(),
        *([_Rate()] if rate else []),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        disable=not stderr.is_terminal,
        transient=True,
    )


class _Rate(ProgressColumn):
    """Items a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        """The rate, or nothing before the first items."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


def _complain(name: str, message: str) -> None:
    if "--json" in sys.argv:
        sys.stderr.write(json.dumps({"error": name, "message": message}) + "\n")
    else:
        stderr.print(Text("error:", style="bold red"), message, soft_wrap=True)
