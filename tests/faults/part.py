"""What every driver of load is given, and how it goes on from what its journal says it has done.

A driver is a process of its own, `python -m tests.faults.drivers ROLE FOLDER`, so that it can be killed. FOLDER/part.json says
what it plays; once FOLDER/stop is there it ends what it is at, and then itself.
"""

import json
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from manyheads_shared.errors import FetchError, HubRefusedError
from tests.faults.journal import Journal

PAUSES = (0.2, 0.5, 1.0, 2.0)  # of a transfer, before another replica is tried


@dataclass(frozen=True)
class Part:
    """What one driver plays."""

    role: str  # owner | client | reader | maintainer
    urls: tuple[str, ...]  # the replicas; a driver asks whichever it likes, and another when that one does not answer
    token: str
    seed: int
    root: str  # file with the TUF root

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "part.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Part":
        values = json.loads((folder / "part.json").read_bytes())
        return cls(**values | {"urls": tuple(values["urls"])})


class Driver:
    """A part being played."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.part, self.journal = folder, Part.read(folder), Journal(journal_of(folder))
        self.draw = random.Random(self.part.seed + len(self.journal.read()))

    @property
    def is_over(self) -> bool:
        return (self.folder / "stop").exists()

    def choose_url(self) -> str:
        return self.draw.choice(self.part.urls)

    def wait(self, least: float, most: float) -> None:
        time.sleep(self.draw.uniform(least, most))

    def note_failure(self, what: str, error: FetchError) -> None:
        """Write down an answer that was none, or one to come back to."""
        status = error.status_code if isinstance(error, HubRefusedError) else None
        code = error.code if isinstance(error, HubRefusedError) else type(error).__name__
        self.journal.write("failure", what=what, status=status, code=code, message=str(error)[:300])


def journal_of(folder: Path) -> Path:
    return folder / "journal.jsonl"
