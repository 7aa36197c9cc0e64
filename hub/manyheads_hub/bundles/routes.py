"""/v1/bundles, /v1/objects and the TUF repository."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import StreamingResponse

from manyheads_hub.blobs import BlobMissingError, blob_name
from manyheads_hub.bundles import service
from manyheads_hub.bundles.downloads import ASK_AGAIN, FOR_EVER, send_file
from manyheads_hub.deps import HubDep, SessionDep
from manyheads_hub.errors import NotFoundError
from manyheads_hub.signing.tuf_files import METADATA, TARGETS, TIMESTAMP
from manyheads_shared.api import TUF_METADATA_PREFIX, TUF_TARGETS_PREFIX, BundleInfo
from manyheads_shared.digest import DIGEST_PATTERN, Digest
from manyheads_shared.manifest import TIME_PATTERN

router = APIRouter(tags=["bundles"])
tuf_router = APIRouter(tags=["tuf"])


@router.get("/bundles")
def list_bundles(session: SessionDep) -> list[BundleInfo]:
    """Every published bundle, newest first."""
    return service.list_bundles(session)


@router.get("/bundles/latest")
def get_latest_bundle(
    session: SessionDep, as_of: Annotated[str | None, Query(pattern=TIME_PATTERN, examples=["2026-01-02T03:04:05Z"])] = None
) -> BundleInfo:
    """The newest bundle, or the one that was newest at a moment."""
    return service.get_latest(session, as_of)


@router.get("/bundles/{sequence}")
def get_bundle(session: SessionDep, sequence: int) -> BundleInfo:
    """One bundle."""
    return service.get_info(session, sequence)


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
def get_tuf_target(request: Request, hub: HubDep, path: str) -> Response:
    """A TUF target; its file name starts with its digest."""
    return _or_refuse(path, send_file(hub.storage, f"{TARGETS}/{path}", request, media_type=_OCTETS))


def _or_refuse(name: str, answer: Response | None) -> Response:
    if answer is None:
        raise NotFoundError(f"no file {name[:200]!r} in this TUF repository")
    return answer
