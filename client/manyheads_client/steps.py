"""A verification as its steps: what was checked, what does not hold, what was not looked at. Values, and how they are shown."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from manyheads_client.words import printable

MAX_PROBLEMS = 1000  # of one step kept with their words; the rest is counted
SHOWN = 20  # of them on a terminal
_STYLES = {"holds": "green", "fails": "bold red", "not checked": "yellow"}


@dataclass(frozen=True)
class Problem:
    """One thing that does not hold."""

    line: int | None  # of the file; None: of the whole
    name: str | None  # what it is about, an image for example
    words: str

    def __str__(self) -> str:
        places = [f"line {self.line}" if self.line else "", printable(self.name) if self.name else ""]
        place = ", ".join(filter(None, places))
        return f"{place}: {self.words}" if place else self.words


@dataclass
class Step:
    """One step of a plan, and how it went."""

    number: int
    title: str
    checked: int = 0  # things of its kind
    detail: str = ""
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    @property
    def outcome(self) -> str:
        """`holds`, `fails` or `not checked`."""
        if self.problem_count:
            return "fails"
        return "holds" if self.checked else "not checked"

    def fail(self, words: str, line: int | None = None, name: str | None = None) -> None:
        """Note something that does not hold."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(line, name, words))


@dataclass(frozen=True)
class Verification:
    """How something fared, step by step, and what was not looked at."""

    steps: tuple[Step, ...]
    not_checked: tuple[str, ...]
    signed_by: str | None  # key id of the seal whose signature holds, whatever it says

    @property
    def holds(self) -> bool:
        """Whether nothing that was checked failed."""
        return not any(step.problem_count for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """All of it for machines."""
        return {
            "holds": self.holds,
            "signed_by": self.signed_by,
            "steps": [
                {
                    "number": step.number,
                    "title": step.title,
                    "outcome": step.outcome,
                    "checked": step.checked,
                    "detail": step.detail,
                    "problem_count": step.problem_count,
                    "problems": [vars(problem) for problem in step.problems],
                }
                for step in self.steps
            ],
            "not_checked": list(self.not_checked),
        }


def build_steps(titles: Iterable[str]) -> tuple[Step, ...]:
    """The steps of a plan, none of them taken yet."""
    return tuple(Step(number, title) for number, title in enumerate(titles, start=1))


def print_verification(console: Console, verification: Verification) -> None:
    """Print every step with its problems, then what was not checked."""
    for step in verification.steps:
        text = Text(f"{step.number}  ").append(step.outcome.ljust(13), _STYLES[step.outcome]).append(step.title)
        console.print(text.append(f": {step.detail}" if step.detail else ""), soft_wrap=True)
        for problem in step.problems[:SHOWN]:
            console.print(f"     {problem}", soft_wrap=True)
        if step.problem_count > SHOWN:
            console.print(f"     and {step.problem_count - SHOWN} more", soft_wrap=True)
    console.print()
    for sentence in verification.not_checked:
        console.print(f"not checked: {sentence}", soft_wrap=True)
