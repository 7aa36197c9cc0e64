"""Recalls: which bundles held a head, how long each was the newest, and what became of the head since."""

from sqlalchemy.orm import Session

from manyheads_hub.audit import log
from manyheads_hub.bundles import queries as bundles
from manyheads_hub.catalogue import queries
from manyheads_hub.catalogue.lifecycle import get_head
from manyheads_hub.catalogue.service import to_generator
from manyheads_shared import clock
from manyheads_shared.recall import BundleSpan, Recall


def build_recall(session: Session, hub: str, name: str, version: str) -> Recall:
    """Return the recall of a catalogued head, whatever its state.

    Raises:
        NotFoundError: no such head.
    """
    row = get_head(session, name, version)
    generator = to_generator(row)
    key = queries.signing_key(session, row.digest)
    changes = [entry for entry in log.newest(session, 1000, subject=generator.title) if entry.action.startswith("head.")]
    return Recall.new(
        hub=hub,
        generator=generator,
        head=row.digest,
        state=row.state,
        reason=row.reason,
        since=changes[0].time if changes else None,
        owner_key=key.key_id,
        owner_key_revoked=key.revoked,
        bundles=_spans(session, generator.title),
        created=clock.now(),
    )


def _spans(session: Session, title: str) -> tuple[BundleSpan, ...]:
    """A name@version never changes its meaning, so a bundle held the head whenever it names it."""
    spans, until = [], None
    for bundle in bundles.every_published(session):  # newest first
        if title in bundle.generators:
            spans.append(
                BundleSpan.model_validate(
                    {
                        "sequence": bundle.sequence,
                        "bundle": bundle.digest,
                        "latest_from": bundle.published,
                        "latest_until": until,
                    }
                )
            )
        until = bundle.published
    return tuple(reversed(spans))
