"""The terminal's table: one line an image, and a summary in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from manyheads_shared.decision import Answer, State
from manyheads_shared.evidence import EvidenceRecord, HeadMeasurement
from rich.console import Console
from rich.text import Text

from manyheads_client.records import Record
from manyheads_client.words import MEANINGS, printable, signed

ANSWERS = {Answer.YES: "yes", Answer.NO: "no", Answer.UNDECIDED: "between"}
_FAILED = "failed"
_MIN_NAME = 16  # columns


@dataclass(frozen=True)
class Line:
    """One image, in words short enough for a column."""

    name: str
    state: State | None  # None: it could not be examined
    generators: str
    detector: str
    best: str


@dataclass(frozen=True)
class Summary:
    """How often each outcome occurred."""

    states: Counter[State]
    failures: tuple[tuple[str, str], ...]  # name, reason

    @property
    def examined(self) -> int:
        """Images with a verdict."""
        return self.states.total()


def build_line(record: Record) -> Line:
    """Put a record into a table line."""
    if not isinstance(record, EvidenceRecord):
        return Line(printable(record.name), None, "", "", printable(record.reason))
    best = best_head(record.heads)
    return Line(
        printable(record.item.name),
        record.state,
        ", ".join(record.claimed_by) or "-",
        _score(record.detector.logit, record.detector.answer),
        f"{best.generator.title} {_score(best.measurement.logit, best.measurement.answer)}" if best else "-",
    )


def best_head(heads: Sequence[HeadMeasurement]) -> HeadMeasurement | None:
    """Return the head whose score comes highest above its own threshold; scores of different heads are not comparable."""
    return max(heads, key=lambda head: head.measurement.logit - head.measurement.high, default=None)


def summarise(records: Iterable[Record]) -> Summary:
    """Count the outcomes."""
    states: Counter[State] = Counter()
    failures: list[tuple[str, str]] = []
    for record in records:
        if isinstance(record, EvidenceRecord):
            states[record.state] += 1
        else:
            failures.append((record.name, record.reason))
    return Summary(states, tuple(failures))


def print_lines(console: Console, lines: Sequence[Line]) -> None:
    """Print the table. On a terminal long names lose their beginning; in a pipe nothing is cut."""
    heading = Line("image", None, "claimed by", "detector", "nearest head")
    widths = {
        "state": max(len(line.state or _FAILED) for line in lines) if lines else 0,
        "generators": max(len(line.generators) for line in (heading, *lines)),
        "detector": max(len(line.detector) for line in (heading, *lines)),
        "best": max((len(line.best) for line in (heading, *lines) if line is heading or line.state), default=0),
    }
    longest = max(len(line.name) for line in (heading, *lines))
    room = console.width - sum(widths.values()) - 2 * len(widths)
    name_width = min(longest, max(room, _MIN_NAME)) if console.is_terminal else longest
    for line in (heading, *lines):
        state = "verdict" if line is heading else (line.state or _FAILED)
        style = "bold" if line is heading else MEANINGS[line.state].style if line.state else "red"
        text = Text(_fit(line.name, name_width) + "  ")
        text.append(state.ljust(widths["state"]) + "  ", style)
        if line.state or line is heading:
            text.append(line.generators.ljust(widths["generators"]) + "  ")
            text.append(line.detector.ljust(widths["detector"]) + "  ")
        text.append(line.best)
        console.print(text, soft_wrap=True, style="bold" if line is heading else "")


def print_columns(console: Console, rows: Sequence[Sequence[str]]) -> None:
    """Print a small table whose first row is its heading; nothing is cut or wrapped."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for i, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        console.print(Text(line), style="bold" if i == 0 else "", soft_wrap=True)


def print_summary(console: Console, summary: Summary) -> None:
    """Print the counts, each state with what it means."""
    for state, count in sorted(summary.states.items(), key=lambda item: -item[1]):
        meaning = MEANINGS[state]
        text = Text(f"{count:6d}  ")
        text.append(state.value, meaning.style)
        text.append(f": {meaning.label}. {meaning.means}")
        console.print(text, soft_wrap=True)
    if summary.failures:
        console.print(
            Text(f"{len(summary.failures):6d}  {_FAILED}: could not be examined; the reasons are listed", "red"), soft_wrap=True
        )


def _score(logit: float, answer: Answer) -> str:
    return f"{signed(logit)} {ANSWERS[answer]}"


def _fit(name: str, width: int) -> str:
    return name.ljust(width) if len(name) <= width else "…" + name[len(name) - width + 1 :]
