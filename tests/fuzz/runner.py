"""One target's process: started with its seeds and corpus, awaited, and read."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.seeds import seeds

FOLDER = Path("runs") / "fuzz"  # git-ignored
INPUT_SECONDS = 20  # one input may take so long, on a busy machine, before it counts as a hang
MEMORY_MB = 2048  # of the process
NICE = 15
_TAIL = 2000  # characters of what Python, and libFuzzer, say at the end
_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Outcome:
    """What a run of one target came to."""

    target: str
    holds: bool
    executions: int
    corpus: int  # inputs in it
    findings: tuple[Path, ...]  # inputs that broke the promise
    tail: str


def fuzz(target: str, folder: Path, *, seed: int, seconds: int = 0, executions: int = -1) -> Outcome:
    """Fuzz one target for so many seconds or executions, whichever comes first; 0 seconds and -1 executions set no end."""
    home = folder / target
    corpus = home / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)
    before = set(home.glob("*-*"))
    command = [sys.executable, "-m", "tests.fuzz.one", target, str(corpus), f"-artifact_prefix={home}/", f"-seed={seed}"]
    command += [f"-max_total_time={seconds}", f"-runs={executions}", f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}"]
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        preexec_fn=lambda: os.nice(NICE),
    )
    said = done.stdout + done.stderr
    counts = [int(count) for count in re.findall(r"^#(\d+)", said, re.MULTILINE)]
    return Outcome(
        target=target,
        holds=done.returncode == 0,
        executions=max(counts, default=0),
        corpus=len(list(corpus.iterdir())),
        findings=tuple(sorted(set(home.glob("*-*")) - before)),
        tail=done.stdout[-_TAIL:] + done.stderr[-_TAIL:],
    )
