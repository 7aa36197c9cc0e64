"""What became of one invariant."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One invariant: how many things were looked at, and what breaks it."""

    says: str
    checked: int
    broken: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing breaks it."""
        return not self.broken


def find(says: str, checked: int, broken: Iterable[str]) -> Finding:
    return Finding(says, checked, tuple(broken))
