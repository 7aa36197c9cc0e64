"""/v1/catalogue."""

from fastapi import APIRouter

from manyheads_hub.catalogue import service
from manyheads_hub.deps import SessionDep
from manyheads_shared.api import CatalogueEntry

router = APIRouter(prefix="/catalogue", tags=["catalogue"])


@router.get("")
def list_catalogue(session: SessionDep) -> list[CatalogueEntry]:
    """Every catalogued head; those no longer listed are among them, with their reason."""
    return service.list_entries(session)


@router.get("/{name}/{version}")
def get_catalogue_entry(session: SessionDep, name: str, version: str) -> CatalogueEntry:
    """One catalogued head."""
    return service.get_entry(session, name, version)
