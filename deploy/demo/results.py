"""The loop's results, read back from what the commands wrote: figures, gate decisions, verdicts by source."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.demo.loop import Places
from manyheads_shared.api import SubmissionInfo
from manyheads_shared.decision import State
from manyheads_shared.evidence import EvidenceRecord
from manyheads_shared.metrics import Share

RIGHT, WRONG = "attributed rightly", "attributed wrongly"
OUTCOMES = (RIGHT, WRONG, *(state.value for state in State if state is not State.ATTRIBUTED), "not examined")


@dataclass(frozen=True)
class BinaryFigures:
    """One yes/no question on test images, threshold 0.5: as the contributor kit measured it."""

    f1: Share | None  # as the others, None where there was nothing to measure on
    precision: Share | None  # None for a network that never says yes
    recall: Share | None
    auroc: float | None
    sources: dict[str, Share]  # share of yes, by source


@dataclass(frozen=True)
class HeadResult:
    """One generator's head, from its owner's figures to the hub's decision."""

    generator: str
    own: BinaryFigures
    decision: str  # accepted, refused or failed
    reasons: tuple[str, ...]
    hub_recall: Share | None  # on the proofs, at the hub's threshold
    hub_claims: dict[str, Share]  # share claimed, by source of the suite
    audit: str  # fine, notable or blatant


@dataclass(frozen=True)
class Results:
    """Everything the loop showed."""

    detector: BinaryFigures
    heads: tuple[HeadResult, ...]
    verdicts: dict[str, dict[str, int]]  # by source of the examples, by outcome

    def to_json(self) -> dict[str, Any]:
        """As JSON values; a share with its interval."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value


def read_results(places: Places) -> Results:
    """Read what the loop's commands wrote."""
    return Results(
        detector=_figures(_read(places.detector_figures)),
        heads=tuple(_read_head(places, generator) for generator in places.partition.generators),
        verdicts=_count_verdicts(places.records),
    )


def _read_head(places: Places, generator: str) -> HeadResult:
    submission = SubmissionInfo.model_validate(_read(places.submission(generator)))
    evaluation = submission.evaluation
    return HeadResult(
        generator=generator,
        own=_figures(_read(places.head_figures(generator))),
        decision=submission.state,
        reasons=tuple(reason.message for reason in submission.reasons),
        hub_recall=_share(evaluation.recall.model_dump()) if evaluation else None,
        hub_claims={_label(row.model_dump()): _share(row.yes.model_dump()) for row in evaluation.false_positives}
        if evaluation
        else {},
        audit=_read(places.audit(generator))["level"],
    )


def _figures(value: Mapping[str, Any]) -> BinaryFigures:
    return BinaryFigures(
        f1=_share_or_none(value["f1"]),
        precision=_share_or_none(value["precision"]),
        recall=_share_or_none(value["recall"]),
        auroc=value["auroc"],
        sources={_label(row): _share(row["yes"]) for row in value["sources"]},
    )


def _count_verdicts(records: Path) -> dict[str, dict[str, int]]:
    """Count outcomes by the folder an example came from; the folder is the truth."""
    counts: dict[str, Counter[str]] = {}
    for line in records.read_bytes().splitlines():
        if b'"format":"manyheads.instrument/' in line:
            continue
        value = json.loads(line)
        name = value["item"]["name"] if "item" in value else value["name"]
        label = Path(name).parent.as_posix().removeprefix("examples/")
        outcome = _outcome(EvidenceRecord.from_bytes(line), label) if "item" in value else "not examined"
        counts.setdefault(label, Counter())[outcome] += 1
    return {label: {name: found[name] for name in OUTCOMES if found[name]} for label, found in sorted(counts.items())}


def _outcome(record: EvidenceRecord, label: str) -> str:
    if record.state is not State.ATTRIBUTED:
        return record.state.value
    claimed = record.claimed_by[0].partition("@")[0]
    return RIGHT if label == f"generated/{claimed}" else WRONG


def _label(row: Mapping[str, Any]) -> str:
    return f"{'external/' if row['external'] else ''}{row['kind']}/{row['source']}"


def _share(value: Mapping[str, Any]) -> Share:
    return Share(hits=value["hits"], total=value["total"], lower=value["lower"], upper=value["upper"])


def _share_or_none(value: Mapping[str, Any] | None) -> Share | None:
    return None if value is None else _share(value)


def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())
