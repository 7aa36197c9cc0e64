"""What the drivers saw, gathered from their journals: what was acknowledged, what failed and how, how long the hub was away."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.client import status_in
from tests.faults.journal import read_journal

ROLES = ("owner", "client", "reader", "maintainer")


@dataclass(frozen=True)
class Evidence:
    """Every line of every journal, by driver."""

    lines: dict[str, list[dict[str, Any]]]

    @classmethod
    def gather(cls, folder: Path) -> "Evidence":
        return cls({place.name: list(read_journal(place / "journal.jsonl")) for place in sorted(folder.iterdir())})

    def of(self, *kinds: str, role: str = "") -> list[dict[str, Any]]:
        """The lines of some kinds, of one role or all."""
        return [line for name, lines in self.lines.items() if name.startswith(role) for line in lines if line["kind"] in kinds]

    def failures(self) -> Counter[str]:
        """Answers that were none, by kind."""
        return Counter(describe_failure(line) for line in self.of("failure"))

    def longest_outage(self) -> float:
        """The longest time for which a reader had no answer from any replica, in seconds."""
        longest = 0.0
        for name, lines in self.lines.items():
            last = None
            failed = False
            for line in lines if name.startswith("reader") else ():
                if line["kind"] in ("read", "timestamp"):
                    if failed and last is not None:
                        longest = max(longest, line["time"] - last)
                    last, failed = line["time"], False
                elif line["kind"] == "failure":
                    failed = True
        return longest

    def figures(self) -> dict[str, int]:
        """How much was asked of the hub."""
        return {
            "uploads acknowledged": len(self.of("whole")),
            "offers sent": len(self.of("offer", "offer again")),
            "offers taken": len(self.of("taken")),
            "offers sent again after an answer": len(self.of("answered again")),
            "offers turned away": len(self.of("turned away")),
            "pulls begun": len(self.of("pulling")),
            "pulls finished": len(self.of("pulled")),
            "pages and lists read": len(self.of("read", "timestamp")),
            "changes by the maintainer": len(self.of("answered")),
        }


def describe_failure(line: dict[str, Any]) -> str:
    """A failure in a few words: its status and code, or that no answer came."""
    status = line["status"] or status_in(line["message"])
    return (
        f"{status} {line['code']}"
        if line["status"]
        else f"{status} seen by a pull"
        if status
        else f"no answer ({line['code']})"
    )


def is_documented(line: dict[str, Any]) -> bool:
    """Whether a failure is one that docs/operations.md announces: no answer at all, 503 with a reason, a quarantined head."""
    status = line["status"] or status_in(line["message"])
    if status == 503:
        return line["code"] in ("unavailable", "HubUnreachableError") or (line["what"] == "owner" and line["code"] == "refused")
    return status is None or (status == 403 and line["what"] == "pull") or line["code"] == "upload-offset"
