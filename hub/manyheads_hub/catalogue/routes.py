"""/v1/catalogue: accepted heads, what becomes of them, and their recalls."""

from collections.abc import Callable
from functools import partial

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from manyheads_hub.audit.log import Actor
from manyheads_hub.auth import Holder
from manyheads_hub.catalogue import lifecycle, recall, resolver, service
from manyheads_hub.catalogue.search import OfPrimary, SearchDep
from manyheads_hub.deps import AdminDep, HubDep, ReviewerDep, SessionDep
from manyheads_hub.hub import Hub
from manyheads_hub.paging import PagerDep
from manyheads_shared.accounts import Because
from manyheads_shared.api import CatalogueEntry, Resolution
from manyheads_shared.recall import Recall

router = APIRouter(prefix="/catalogue", tags=["catalogue"])

Change = Callable[[Session, Actor, str, str, str], int]


@router.get("")
def list_catalogue(session: SessionDep, search: SearchDep, pager: PagerDep) -> list[CatalogueEntry]:
    """Catalogued heads by generator, a page at a time: all, or what is looked for; with the reason where no longer listed."""
    return pager.answer(partial(service.list_entries, session, search))


@router.get("/{name}")
def resolve_head(session: SessionDep, name: str, primary: OfPrimary = None) -> Resolution:
    """The head to take for a generator on a primary, the current one where none is named, or why there is none."""
    return resolver.resolve(session, name, primary)


@router.get("/{name}/{version}")
def get_catalogue_entry(session: SessionDep, name: str, version: str) -> CatalogueEntry:
    """One catalogued head."""
    return service.get_entry(session, name, version)


@router.get("/{name}/{version}/recall", response_model=Recall)
def get_recall(hub: HubDep, session: SessionDep, name: str, version: str) -> Response:
    """Which bundles held a head, how long each was the newest, and what became of the head. Canonical JSON."""
    document = recall.build_recall(session, hub.settings.name, name, version)
    return Response(document.to_bytes(), media_type="application/json", headers={"Cache-Control": "no-cache"})


@router.post("/{name}/{version}/yank")
def yank_head(hub: HubDep, holder: ReviewerDep, name: str, version: str, request: Because) -> CatalogueEntry:
    """Take a head out of every later bundle. It stays downloadable by digest, with the reason."""
    return _change(hub, lifecycle.yank, holder, (name, version), request)


@router.post("/{name}/{version}/quarantine")
def quarantine_head(hub: HubDep, holder: AdminDep, name: str, version: str, request: Because) -> CatalogueEntry:
    """Let nobody download a head any more, and keep it out of every later bundle."""
    return _change(hub, lifecycle.quarantine, holder, (name, version), request)


@router.post("/{name}/{version}/release")
def release_head(hub: HubDep, holder: AdminDep, name: str, version: str, request: Because) -> CatalogueEntry:
    """Let a head out of quarantine, into the state it had before."""
    return _change(hub, lifecycle.release, holder, (name, version), request)


def _change(hub: Hub, change: Change, holder: Holder, head: tuple[str, str], because: Because) -> CatalogueEntry:
    """Change a head's state; the worker publishes the bundle that follows from it."""
    with hub.database.write() as session:
        change(session, holder.actor, *head, because.reason)
        return service.get_entry(session, *head)
