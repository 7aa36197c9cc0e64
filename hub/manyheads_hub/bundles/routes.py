"""/v1/bundles, /v1/aliases, /v1/objects and the TUF repository."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, StreamingResponse

from manyheads_hub.bundles import aliases, service
from manyheads_hub.catalogue.lifecycle import refuse_quarantined
from manyheads_hub.deps import AdminDep, BlobsDep, HubDep, SessionDep
from manyheads_hub.errors import NotFoundError
from manyheads_shared.api import TUF_METADATA_PREFIX, TUF_TARGETS_PREFIX, AliasInfo, AliasMove, AliasRequest, BundleInfo
from manyheads_shared.digest import DIGEST_PATTERN, Digest, parse_digest
from manyheads_shared.errors import ManifestError
from manyheads_shared.manifest import TIME_PATTERN

router = APIRouter(tags=["bundles"])
tuf_router = APIRouter(tags=["tuf"])

_FOR_EVER = "public, max-age=31536000, immutable"  # what a digest or a TUF version names never changes
_ASK_AGAIN = "no-cache"
_CHUNK_BYTES = 1 << 20

AsOf = Annotated[str | None, Query(pattern=TIME_PATTERN, examples=["2026-01-02T03:04:05Z"])]


@router.get("/bundles")
def list_bundles(session: SessionDep) -> list[BundleInfo]:
    """Every published bundle, newest first."""
    return service.list_bundles(session)


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
def get_tuf_target(hub: HubDep, session: SessionDep, path: str) -> FileResponse:
    """A TUF target; its file name starts with its digest. A quarantined head is refused."""
    if (digest := _digest_in(path)) is not None:
        refuse_quarantined(session, digest)
    return _file(hub.settings.tuf_targets, path, "application/octet-stream", _FOR_EVER)


def _digest_in(path: str) -> Digest | None:
    """Return the digest that a target's file name starts with."""
    try:
        return parse_digest(f"sha256:{path.rpartition('/')[2].partition('.')[0]}")
    except ManifestError:
        return None


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
