"""/v1/audit: the log for who may read it, its newest digest for all."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from manyheads_hub.audit import log
from manyheads_hub.deps import AuditorDep, HubDep, SessionDep
from manyheads_hub.hub import Hub
from manyheads_shared.api import AuditHead

router = APIRouter(prefix="/audit", tags=["audit"])

_LINES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}}


@router.get("/head")
def get_audit_head(session: SessionDep) -> AuditHead:
    """The newest line's number and digest. Note it somewhere else: the log can then not be cut or rewritten unseen."""
    head = log.head(session)
    return AuditHead(sequence=head.sequence, digest=head.digest)


@router.get("", response_class=StreamingResponse, responses=_LINES)
def get_audit(hub: HubDep, holder: AuditorDep, after: Annotated[int, Query(ge=0)] = 0) -> StreamingResponse:
    """The lines after a number, oldest first, one canonical JSON document a line."""
    return StreamingResponse(_lines(hub, after), media_type="application/jsonl", headers={"Cache-Control": "no-store"})


def _lines(hub: Hub, after: int) -> Iterator[bytes]:
    with hub.database.read() as session:
        for entry in log.entries(session, after=after):
            yield entry.to_bytes() + b"\n"
