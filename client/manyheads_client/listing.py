"""The terminal's table: one line an image, and a summary in words."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from manyheads_client.records import OldRecord, Record, read_instruments, read_latest
from manyheads_client.words import MEANINGS, printable, signed
from manyheads_shared.decision import Answer, State
from manyheads_shared.evidence import Examined, FailureRecord
from manyheads_shared.evidence_v1 import EvidenceRecordV1

ANSWERS = {Answer.YES: "yes", Answer.NO: "no", Answer.UNDECIDED: "between"}
_FAILED = "failed"
_MIN_NAME = 16  # columns
MAX_FAILURES = 5000  # kept with their reasons; all are in the record file


@dataclass(frozen=True)
class Line:
    """One image, in words short enough for a column."""

    name: str
    state: State | None  # None: it could not be examined
    claimed_by: str
    detector: str
    nearest: str  # the head whose score comes highest above its own threshold; of a failure: the reason


@dataclass(frozen=True)
class Summary:
    """How often each outcome occurred."""

    states: Counter[State]
    failed: int
    failures: tuple[Line, ...]  # the first of them

    @property
    def examined(self) -> int:
        """Images with a verdict."""
        return self.states.total()


_HEADING = Line("image", None, "claimed by", "detector", "nearest head")


def build_line(record: Record | OldRecord) -> Line:
    """Put a record into a table line."""
    if isinstance(record, FailureRecord):
        return Line(printable(record.name), None, "", "", printable(record.reason))
    if isinstance(record, EvidenceRecordV1):
        name, claimed_by, detector = (
            record.item.name,
            record.claimed_by,
            _Score("", record.detector.logit, record.detector.answer, 0),
        )
        scores = [_Score(head.generator.title, m.logit, m.answer, m.high) for head in record.heads for m in (head.measurement,)]
    else:
        name, claimed_by = record.name, record.record.claimed_by
        detector = _Score("", record.record.detector.logit, record.record.detector.answer, 0)
        scores = [_Score(used.generator.title, r.logit, r.answer, used.standing.band.high) for used, r in record.heads]
    best = max(scores, key=lambda score: score.logit - score.high, default=None)
    return Line(
        printable(name),
        record.state,
        claimed_by=", ".join(claimed_by) or "-",
        detector=str(detector).strip(),
        nearest=str(best or "-"),
    )


@dataclass(frozen=True)
class _Score:
    """One network's score; only its distance from its own threshold can be compared with others'."""

    title: str
    logit: float
    answer: Answer
    high: float

    def __str__(self) -> str:
        return f"{self.title} {signed(self.logit)} {ANSWERS[self.answer]}"


def summarise(lines: Iterable[Line]) -> Summary:
    """Count the outcomes."""
    states: Counter[State] = Counter()
    failures: list[Line] = []
    failed = 0
    for line in lines:
        if line.state:
            states[line.state] += 1
            continue
        failed += 1
        if len(failures) < MAX_FAILURES:
            failures.append(line)
    return Summary(states, failed, tuple(failures))


def print_table(console: Console, read: Callable[[], Iterable[Record | OldRecord]]) -> Summary:
    """Print one line an image and return the summary. The records are read twice: for the widths, then for the lines.

    On a terminal long names lose their beginning; in a pipe nothing is cut.
    """
    widths = dict.fromkeys(("name", "state", "claimed_by", "detector", "nearest"), 0)

    def measured() -> Iterator[Line]:
        for line in map(build_line, read()):
            _widen(widths, line)
            yield line

    _widen(widths, _HEADING)
    summary = summarise(measured())
    if console.is_terminal:
        others = sum(widths.values()) - widths["name"] + 2 * (len(widths) - 1)
        widths["name"] = min(widths["name"], max(console.width - others, _MIN_NAME))
    _print_line(console, _HEADING, widths, "verdict", "bold")
    for line in map(build_line, read()):
        state, style = (line.state.value, MEANINGS[line.state].style) if line.state else (_FAILED, "red")
        _print_line(console, line, widths, state, style)
    return summary


def _widen(widths: dict[str, int], line: Line) -> None:
    columns = ("name", "claimed_by", "detector", "nearest") if line.state or line is _HEADING else ("name",)
    for column in columns:
        widths[column] = max(widths[column], len(getattr(line, column)))
    widths["state"] = max(widths["state"], len(line.state or _FAILED))


def _print_line(console: Console, line: Line, widths: Mapping[str, int], state: str, style: str) -> None:
    whole = style if line is _HEADING else ""
    text = Text(_fit(line.name, widths["name"]) + "  ", whole)
    text.append(state.ljust(widths["state"]) + "  ", style)
    if line.state or line is _HEADING:
        text.append(line.claimed_by.ljust(widths["claimed_by"]) + "  ")
        text.append(line.detector.ljust(widths["detector"]) + "  ")
    text.append(line.nearest)
    console.print(text, soft_wrap=True)


def print_records(path: Path) -> None:
    """Print a record file as one JSON value, `{"records": […], "instruments": […]}`, never holding it whole."""
    write, first = sys.stdout.write, True
    write('{"records": [')
    for record in read_latest(path):
        value = record.record if isinstance(record, Examined) else record
        write(("\n" if first else ",\n") + json.dumps(value.model_dump(mode="json"), indent=2))
        first = False
    instruments = [instrument.model_dump(mode="json") for instrument in read_instruments(path)]
    write(f'],\n"instruments": {json.dumps(instruments, indent=2)}}}\n')


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
    if summary.failed:
        text = Text(f"{summary.failed:6d}  {_FAILED}: could not be examined; the reasons are listed", "red")
        console.print(text, soft_wrap=True)


def _fit(name: str, width: int) -> str:
    return name.ljust(width) if len(name) <= width else "…" + name[len(name) - width + 1 :]
