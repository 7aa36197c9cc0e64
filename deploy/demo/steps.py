"""Running commands as a user would: shown, timed, logged, and not run again once what they make is there."""

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from manyheads_shared.errors import ManyheadsError
from manyheads_shared.files import write_atomic
from manyheads_shared.terminal import stdout

_LOG_TAIL = 2000  # characters of a failed command's output that are shown


class StepError(ManyheadsError):
    """A command of the demo failed."""


@dataclass
class Steps:
    """Runs the commands of one working folder, in order."""

    root: Path

    @property
    def logs(self) -> Path:
        """Where every command's output is kept."""
        return self.root / "logs"

    def read_seconds(self) -> dict[str, float]:
        """How long every command took, by the name of its step."""
        path = self.logs / "seconds.json"
        return dict(json.loads(path.read_bytes())) if path.exists() else {}

    def run(
        self,
        name: str,
        command: list[str],
        *,
        cwd: Path,
        makes: Path,
        keep: bool = False,
        answers: tuple[int, ...] = (0,),
    ) -> int:
        """Run one command unless it is done.

        Args:
            name: of the log file.
            command: a command line of ours and its arguments.
            cwd: the folder of whoever types it.
            makes: a file that is whole when the command is done.
            keep: write the command's standard output to `makes`, instead of expecting the command to write it.
            answers: exit codes that are an answer; 1 is "no" for a check.

        Returns:
            The exit code; 0 where the command was done before.

        Raises:
            StepError: another exit code, an answer to keep in a .json file that is no JSON, or `makes` is not there afterwards.
        """
        shown = shlex.join(command) + (f" > {os.path.relpath(makes, cwd)}" if keep else "")
        stdout.print(f"[dim]{os.path.relpath(cwd, self.root.parent)}[/] $ {_escape(shown)}", soft_wrap=True, markup=True)
        if makes.exists():
            stdout.print("  done before", style="dim")
            return 0
        started = time.monotonic()
        with stdout.status("running"):
            done = subprocess.run([str(command_path(command[0])), *command[1:]], cwd=cwd, capture_output=True, check=False)
        seconds = time.monotonic() - started
        log = b"$ %s\n%s%s\nexit code %d, %.1f seconds\n" % (shown.encode(), done.stdout, done.stderr, done.returncode, seconds)
        write_atomic(self.logs / f"{name}.log", log)
        if done.returncode not in answers:
            raise self._failure(name, command, f"ended with exit code {done.returncode}", done.stdout + done.stderr)
        if keep and makes.suffix == ".json" and not _is_json(done.stdout):  # a traceback leaves with 1 too, as a "no" does
            wrong = f"ended with exit code {done.returncode}; expected JSON on its standard output, got this"
            raise self._failure(name, command, wrong, done.stdout + done.stderr)
        if keep:
            write_atomic(makes, done.stdout, mode=0o600)
        if not makes.exists():
            raise self._failure(name, command, f"ended well, and {makes} is not there", done.stdout + done.stderr)
        write_atomic(self.logs / "seconds.json", json.dumps(self.read_seconds() | {name: round(seconds, 1)}).encode())
        stdout.print(f"  {seconds:.1f} s" + (f", answer {done.returncode}" if done.returncode else ""), style="dim")
        return done.returncode

    def _failure(self, name: str, command: list[str], wrong: str, output: bytes) -> StepError:
        """What went wrong, the end of what the command said, and how to go on."""
        said = output.decode(errors="replace").strip()[-_LOG_TAIL:]
        return StepError(
            f"{command[0]} {command[1]} {wrong}:\n{said}\nAll of it is in {self.logs / name}.log. What was done before is "
            "kept: once this is mended, run the demo again and it goes on here; --fresh starts anew."
        )


def _is_json(output: bytes) -> bool:
    try:
        json.loads(output)
    except ValueError:
        return False
    return True


def command_path(name: str) -> Path:
    """Where a command line of ours is installed: beside the Python that runs this."""
    return Path(sys.executable).parent / name


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
