"""/v1/candidates, /v1/primaries/{digest}/retention and /compatibility, /v1/notices."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi import Path as PathParameter

from manyheads_hub.deps import BlobsDep, ReadingCallerDep, SessionDep
from manyheads_hub.paging import PagerDep
from manyheads_hub.upgrades import candidates, notices
from manyheads_shared.api import CandidateInfo, CompatibilityInfo, Notice
from manyheads_shared.digest import DIGEST_PATTERN, Digest

router = APIRouter(tags=["upgrades"])

OfPrimary = Annotated[Digest, PathParameter(pattern=DIGEST_PATTERN)]
_ENVELOPE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}}}}


@router.get("/candidates")
def list_candidates(session: SessionDep) -> list[CandidateInfo]:
    """Every candidate primary there ever was, newest first."""
    return candidates.list_candidates(session)


@router.get("/primaries/{digest}/retention", response_class=Response, responses=_ENVELOPE)
def get_retention(session: SessionDep, blobs: BlobsDep, digest: OfPrimary) -> Response:
    """The signed retention report on a candidate, or on a primary that was promoted by one. Canonical JSON."""
    data = blobs.read(candidates.report_digest(session, digest))
    return Response(data, media_type="application/json", headers={"Cache-Control": "no-cache"})


@router.get("/primaries/{digest}/compatibility")
def list_compatibility(session: SessionDep, pager: PagerDep, digest: OfPrimary) -> list[CompatibilityInfo]:
    """How heads stand on a primary, a page at a time: its own, and those of earlier ones that were measured on it."""
    return pager.answer(partial(notices.list_compatibility, session, digest))


@router.get("/notices")
def list_notices(session: SessionDep, caller: ReadingCallerDep) -> list[Notice]:
    """What the present primary means for the caller's heads, and what to do."""
    return notices.list_notices(session, caller)
