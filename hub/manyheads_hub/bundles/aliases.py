"""Aliases: names for bundles, with their whole history. `latest` moves by itself; maintainers move the others."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.accounts.service import refuse_bad_name
from manyheads_hub.audit.log import Actor, record
from manyheads_hub.bundles import queries, service
from manyheads_hub.catalogue.lifecycle import check_reason
from manyheads_hub.errors import ConflictError, InvalidRequestError, NotFoundError
from manyheads_hub.tables import AliasMoveRow
from manyheads_shared import clock
from manyheads_shared.api import AliasInfo, AliasMove

LATEST = "latest"


def list_aliases(session: Session) -> list[AliasInfo]:
    """Return every alias that points somewhere, `latest` first."""
    names = [LATEST, *session.scalars(select(AliasMoveRow.alias).distinct().order_by(AliasMoveRow.alias))]
    found = (find_alias(session, name) for name in names)
    return [alias for alias in found if alias is not None]


def get_alias(session: Session, alias: str, as_of: str | None = None) -> AliasInfo:
    """Return where an alias points, or pointed at a moment.

    Raises:
        NotFoundError: it pointed nowhere.
    """
    info = find_alias(session, alias, as_of)
    if info is None:
        raise NotFoundError(f"no bundle was called {alias[:64]!r}{f' on {as_of}' if as_of else ''}")
    return info


def find_alias(session: Session, alias: str, as_of: str | None = None) -> AliasInfo | None:
    """Return where an alias points, or pointed at a moment; None where that was nowhere."""
    moves = [move for move in history(session, alias) if as_of is None or move.moved <= as_of]
    if not moves or moves[0].sequence is None:
        return None
    bundle = service.get_info(session, moves[0].sequence)
    return AliasInfo(alias=alias, since=moves[0].moved, reason=moves[0].reason, bundle=bundle)


def history(session: Session, alias: str) -> list[AliasMove]:
    """Return every move of an alias, newest first; none for a name that never was one."""
    if alias == LATEST:
        return [
            AliasMove.model_validate({"alias": LATEST, "sequence": row.sequence, "moved": row.published, "reason": None})
            for row in queries.publications(session)
        ]
    rows = select(AliasMoveRow).where(AliasMoveRow.alias == alias).order_by(AliasMoveRow.id.desc())
    return [AliasMove.model_validate(row, from_attributes=True) for row in session.scalars(rows)]


def move(session: Session, actor: Actor, alias: str, sequence: int | None, reason: str) -> None:
    """Let an alias point to another bundle, or nowhere. Where it pointed before stays in its history.

    Raises:
        InvalidRequestError: it is no name, it is `latest`, or there is no reason.
        NotFoundError: no such bundle was published.
        ConflictError: it points there already.
    """
    refuse_bad_name(alias)
    if alias == LATEST:
        raise InvalidRequestError("`latest` is the newest published bundle, always; choose another name")
    reason = check_reason(reason)
    if sequence is not None:
        service.get_info(session, sequence)
    now = find_alias(session, alias)
    if (now.bundle.sequence if now else None) == sequence:
        raise ConflictError(f"{alias} points to {f'bundle {sequence}' if sequence else 'nothing'} already")
    session.add(AliasMoveRow(alias=alias, sequence=sequence, moved=clock.now(), reason=reason))
    record(session, actor, "alias.moved", alias, reason=reason, details={"bundle": sequence})
