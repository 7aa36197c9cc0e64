"""/v1/primary and /v1/primaries."""

from fastapi import APIRouter

from manyheads_hub.deps import SessionDep
from manyheads_hub.primaries import service
from manyheads_shared.api import PrimaryInfo

router = APIRouter(tags=["primaries"])


@router.get("/primary")
def get_primary(session: SessionDep) -> PrimaryInfo:
    """The current primary: the one to train heads on."""
    return service.get_current_or_refuse(session)


@router.get("/primaries")
def list_primaries(session: SessionDep) -> list[PrimaryInfo]:
    """Every published primary, newest first."""
    return service.list_published(session)
