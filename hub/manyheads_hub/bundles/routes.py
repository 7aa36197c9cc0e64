"""/v1/bundles, /v1/aliases, /v1/objects and the TUF repository."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import StreamingResponse

from manyheads_hub.blobs import BlobMissingError, blob_name
from manyheads_hub.bundles import aliases, service
from manyheads_hub.bundles.downloads import ASK_AGAIN, FOR_EVER, send_file
from manyheads_hub.catalogue.lifecycle import refuse_quarantined
from manyheads_hub.deps import AdminDep, HubDep, SessionDep
from manyheads_hub.errors import NotFoundError
from manyheads_hub.paging import PagerDep
from manyheads_hub.signing.tuf_files import METADATA, TARGETS, TIMESTAMP
from manyheads_shared.api import TUF_METADATA_PREFIX, TUF_TARGETS_PREFIX, AliasInfo, AliasMove, AliasRequest, BundleInfo
from manyheads_shared.digest import DIGEST_PATTERN, Digest, parse_digest
from manyheads_shared.errors import ManifestError
from manyheads_shared.manifest import TIME_PATTERN

router = APIRouter(tags=["bundles"])
tuf_router = APIRouter(tags=["tuf"])

BUNDLES_A_PAGE = 20  # each names every head it holds

AsOf = Annotated[str | None, Query(pattern=TIME_PATTERN, examples=["2026-01-02T03:04:05Z"])]


@router.get("/bundles")
def list_bundles(session: SessionDep, pager: PagerDep) -> list[BundleInfo]:
    """Published bundles, newest first, a page at a time."""
    return pager.answer(partial(service.list_bundles, session), size=BUNDLES_A_PAGE)


@router.get("/bundles/latest")
def get_latest_bundle(session: SessionDep, as_of: AsOf = None) -> BundleInfo:
    """The newest bundle, or the one that was newest at a moment."""
    return service.get_latest(session, as_of)


@router.get("/bundles/{sequence}")
def get_bundle(session: SessionDep, sequence: int) -> BundleInfo:
    """One bundle."""
    return service.get_info(session, sequence)


@router.get("/aliases")
def list_aliases(session: SessionDep) -> list[AliasInfo]:
    """Every alias and the bundle it points to."""
    return aliases.list_aliases(session)


@router.get("/aliases/{alias}")
def get_alias(session: SessionDep, alias: str, as_of: AsOf = None) -> AliasInfo:
    """The bundle an alias points to, or pointed to at a moment."""
    return aliases.get_alias(session, alias, as_of)


@router.get("/aliases/{alias}/history")
def get_alias_history(session: SessionDep, alias: str) -> list[AliasMove]:
    """Every move of an alias, newest first."""
    return aliases.history(session, alias)


@router.put("/aliases/{alias}")
def put_alias(hub: HubDep, holder: AdminDep, alias: str, request: AliasRequest) -> list[AliasMove]:
    """Let an alias point to another bundle, or to none; the answer is its history."""
    with hub.database.write() as session:
        aliases.move(session, holder.actor, alias, request.sequence, request.reason)
        return aliases.history(session, alias)


_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}},
    206: {"description": "the part that was asked for", "content": {"application/octet-stream": {}}},
    307: {"description": "fetch it from this address; it runs out"},
    416: {"description": "the part asked for lies behind the end"},
}
_OCTETS = "application/octet-stream"


@router.get("/objects/{digest}", response_class=StreamingResponse, responses=_BYTES)
def get_object(
    request: Request, hub: HubDep, session: SessionDep, digest: Annotated[Digest, PathParameter(pattern=DIGEST_PATTERN)]
) -> Response:
    """The bytes of an object that some published bundle named; yanked and obsolete ones stay here."""
    service.refuse_unpublished(session, digest)
    answer = send_file(hub.storage, blob_name(digest), request, media_type=_OCTETS)
    if answer is None:
        raise BlobMissingError(digest)
    return answer


@tuf_router.get(
    TUF_METADATA_PREFIX + "/{name}", response_class=StreamingResponse, responses={200: {"content": {"application/json": {}}}}
)
def get_tuf_metadata(request: Request, hub: HubDep, name: str) -> Response:
    """A file of TUF metadata."""
    cache = ASK_AGAIN if name == TIMESTAMP else FOR_EVER  # every other name carries its version
    stored = f"{METADATA}/{name}"
    return _or_refuse(name, send_file(hub.storage, stored, request, media_type="application/json", cache=cache, linked=False))


@tuf_router.get(TUF_TARGETS_PREFIX + "/{path:path}", response_class=StreamingResponse, responses=_BYTES)
def get_tuf_target(request: Request, hub: HubDep, session: SessionDep, path: str) -> Response:
    """A TUF target; its file name starts with its digest. A quarantined head is refused."""
    if (digest := _digest_in(path)) is not None:
        refuse_quarantined(session, digest)
    return _or_refuse(path, send_file(hub.storage, f"{TARGETS}/{path}", request, media_type=_OCTETS))


def _digest_in(path: str) -> Digest | None:
    """Return the digest that a target's file name starts with."""
    try:
        return parse_digest(f"sha256:{path.rpartition('/')[2].partition('.')[0]}")
    except ManifestError:
        return None


def _or_refuse(name: str, answer: Response | None) -> Response:
    if answer is None:
        raise NotFoundError(f"no file {name[:200]!r} in this TUF repository")
    return answer
