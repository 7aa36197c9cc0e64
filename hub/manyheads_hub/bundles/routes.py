"""/v1/bundles, /v1/objects and the TUF repository."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, StreamingResponse

from manyheads_hub.bundles import service
from manyheads_hub.deps import BlobsDep, HubDep, SessionDep
from manyheads_hub.errors import NotFoundError
from manyheads_shared.api import TUF_METADATA_PREFIX, TUF_TARGETS_PREFIX, BundleInfo
from manyheads_shared.digest import DIGEST_PATTERN, Digest
from manyheads_shared.manifest import TIME_PATTERN

router = APIRouter(tags=["bundles"])
tuf_router = APIRouter(tags=["tuf"])

_FOR_EVER = "public, max-age=31536000, immutable"  # what a digest or a TUF version names never changes
_ASK_AGAIN = "no-cache"
_CHUNK_BYTES = 1 << 20


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


_BYTES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


@router.get("/objects/{digest}", response_class=StreamingResponse, responses=_BYTES)
def get_object(
    session: SessionDep, blobs: BlobsDep, digest: Annotated[Digest, PathParameter(pattern=DIGEST_PATTERN)]
) -> StreamingResponse:
    """The bytes of an object that some published bundle named; yanked and obsolete ones stay here."""
    service.refuse_unpublished(session, digest)
    headers = {"Content-Length": str(blobs.size(digest)), "Cache-Control": _FOR_EVER}
    return StreamingResponse(_chunks(blobs.open(digest)), headers=headers, media_type="application/octet-stream")


@tuf_router.get(
    TUF_METADATA_PREFIX + "/{name}", response_class=FileResponse, responses={200: {"content": {"application/json": {}}}}
)
def get_tuf_metadata(hub: HubDep, name: str) -> FileResponse:
    """A file of TUF metadata."""
    fresh = name == "timestamp.json"  # every other name carries its version
    return _file(hub.settings.tuf_metadata, name, "application/json", _ASK_AGAIN if fresh else _FOR_EVER)


@tuf_router.get(TUF_TARGETS_PREFIX + "/{path:path}", response_class=FileResponse, responses=_BYTES)
def get_tuf_target(hub: HubDep, path: str) -> FileResponse:
    """A TUF target; its file name starts with its digest."""
    return _file(hub.settings.tuf_targets, path, "application/octet-stream", _FOR_EVER)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _file(root: Path, name: str, media_type: str, cache_control: str) -> FileResponse:
    """Answer with a file below `root`; hidden ones are being written."""
    path = _find_below(root, name)
    if path is None or path.name.startswith("."):
        raise NotFoundError(f"no file {name[:200]!r} in this TUF repository")
    return FileResponse(path, media_type=media_type, headers={"Cache-Control": cache_control})


def _find_below(root: Path, name: str) -> Path | None:
    try:
        path = (root / name).resolve()
        return path if path.is_relative_to(root.resolve()) and path.is_file() else None
    except (OSError, ValueError):  # a name that no file can have: too long, or with a zero byte
        return None
