"""Catalogued heads as rows alone: what lists, searches and pages read, without weights or a worker."""

from collections.abc import Sequence
from typing import Literal

from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.tables import HeadRow, SubmissionRow
from manyheads_shared.api import HeadState
from manyheads_shared.digest import Digest, digest_bytes
from tests.support.gallery import make_evaluation
from tests.support.live_hub import enrol
from tests.support.makers import TIME


def add_heads(hub: Hub, names: Sequence[str], *, state: HeadState = "listed", owner: str = "ada") -> None:
    """Enrol an owner and put a head of each generator, with figures, into the catalogue."""
    enrol(hub, owner, ["alpha"])
    for name in names:
        add_head(hub, name, owner=owner, state=state)


def add_head(
    hub: Hub,
    name: str,
    version: str = "1",
    *,
    owner: str = "ada",
    level: Literal["architecture", "instance"] = "instance",
    recall: int = 39,
    state: HeadState = "listed",
    reason: str | None = None,
    primary: Digest | None = None,
    accepted: str = TIME,
) -> None:
    """Put a head with figures into the catalogue: `recall` of 40 images found, on the current primary where none is named."""
    evaluation = make_evaluation("began-hee9joon", recall=recall, claims={"dcgan-litalien": 3}).model_dump(mode="json")
    with hub.database.write() as session:
        current = primaries.current(session)
        assert current is not None
        same = {"contributor_id": 1, "generator": name, "version": version, "owner": owner, "level": level, "proofs": []}
        same |= {"primary": primary or current.digest, "owner_statement": digest_bytes(b"word"), "evaluation": evaluation}
        submission, head = f"s-{name}-{version}", digest_bytes(f"{name}@{version}".encode())
        session.add(SubmissionRow(id=submission, head=head, state="accepted", reasons=[], created=TIME, updated=TIME, **same))
        session.flush()
        same |= {"submission_id": submission, "hub_statement": digest_bytes(b"word"), "reason": reason}
        session.add(HeadRow(digest=head, state=state, accepted=accepted, **same))
