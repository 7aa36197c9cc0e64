"""From what an examination found to a decision with its reasons. Pure; writing it down is for `assessment`."""

from dataclasses import dataclass

from manyheads_hub.evaluations.bundle_effect import measure_effect
from manyheads_hub.evaluations.degraded import measure_degraded
from manyheads_hub.evaluations.findings import Findings
from manyheads_hub.evaluations.gate import Evaluation, decide_gate, evaluate
from manyheads_hub.evaluations.scores import Scores
from manyheads_hub.evaluations.task import Examination, Full, Task
from manyheads_shared.api import Reason


@dataclass(frozen=True)
class Judgement:
    """A decision: what was found, and every reason against the head; without one it passed."""

    evaluation: Evaluation | None  # None where the quick stage refused
    findings: Findings
    scores: Scores  # that the findings are computed from
    reasons: tuple[Reason, ...]


def judge(task: Task, examination: Examination, created: str) -> Judgement:
    """Judge a head by the policy.

    Args:
        created: the moment that the findings carry.

    Raises:
        TooFewImagesError: as `gate.evaluate`.
    """
    full = examination.full
    if full is None:
        findings = _to_findings(task, examination, created)
        return Judgement(None, findings, examination.quick_scores, tuple(findings.check(task.policy)))
    evaluation = evaluate(full.scores, task.head.manifest.generator, task.policy, len(task.rivals))
    findings = _to_findings(task, examination, created).model_copy(update=_fully(task, full, evaluation))
    reasons = (*decide_gate(evaluation, task.policy).reasons, *findings.check(task.policy))
    return Judgement(evaluation, findings, full.scores, reasons)


def _to_findings(task: Task, examination: Examination, created: str) -> Findings:
    return Findings.new(
        stage="quick",
        head=task.head.digest,
        primary=task.primary.digest,
        suite=task.suite.digest,
        policy=task.policy.digest,
        scores=examination.quick_scores.digest,
        quick=examination.quick,
        likenesses=examination.likenesses,
        degraded=(),
        trigger=None,
        effect=None,
        created=created,
    )


def _fully(task: Task, full: Full, evaluation: Evaluation) -> dict[str, object]:
    """What the full stage adds."""
    generator = task.head.manifest.generator
    return {
        "stage": "full",
        "scores": full.scores.digest,
        "degraded": measure_degraded(full.degraded, generator, evaluation.threshold),
        "trigger": full.trigger,
        "effect": measure_effect(
            full.scores, full.rivals, [rival.manifest.generator for rival in task.rivals], generator, task.policy
        ),
    }
