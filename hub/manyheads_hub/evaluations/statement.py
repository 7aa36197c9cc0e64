"""An evaluation as the hub states it: signed beside a head, and over the API. The same figures in both."""

from manyheads_hub.evaluations.gate import Evaluation
from manyheads_shared.api import EvaluationInfo, ShareInfo, SourceInfo
from manyheads_shared.metrics import Share
from manyheads_shared.statements import Bound, HubPredicate, SourceResult


def to_predicate(evaluation: Evaluation, created: str) -> HubPredicate:
    """Return what the hub signs (`manyheads_shared.statements.sign_hub_statement`)."""
    return HubPredicate(
        generator=evaluation.generator,
        primary=evaluation.primary,
        suite=evaluation.suite,
        scores=evaluation.scores,
        policy=evaluation.policy,
        threshold=evaluation.threshold,
        recall=to_bound(evaluation.recall),
        false_positives=tuple(
            SourceResult(kind=source.kind, source=source.source, external=source.external, yes=to_bound(source.claimed))
            for source in evaluation.sources
        ),
        auroc=evaluation.auroc,
        contradiction=to_bound(evaluation.contradiction) if evaluation.contradiction else None,
        created=created,
    )


def to_info(evaluation: Evaluation) -> EvaluationInfo:
    """Return what the API answers."""
    return EvaluationInfo(
        suite=evaluation.suite,
        threshold=evaluation.threshold,
        recall=_info(evaluation.recall),
        false_positives=[
            SourceInfo(kind=source.kind, source=source.source, external=source.external, yes=_info(source.claimed))
            for source in evaluation.sources
        ],
        auroc=evaluation.auroc,
        contradiction=_info(evaluation.contradiction) if evaluation.contradiction else None,
    )


def to_bound(share: Share) -> Bound:
    """Return a share as documents hold it."""
    return Bound(share=share.value, lower=share.lower, upper=share.upper, hits=share.hits, total=share.total)


def _info(share: Share) -> ShareInfo:
    return ShareInfo(share=share.value, lower=share.lower, upper=share.upper, hits=share.hits, total=share.total)
