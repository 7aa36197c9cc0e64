"""/v1/uploads: bytes stream from the socket to the storage, after token, size and offset were checked."""

from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from manyheads_hub.auth import Caller
from manyheads_hub.deps import CallerDep, HubDep
from manyheads_hub.errors import InvalidRequestError, StalledError
from manyheads_hub.hub import Hub
from manyheads_hub.uploads import service
from manyheads_hub.uploads.pieces import PIECE_BYTES
from manyheads_shared.api import LENGTH_HEADER, OFFSET_HEADER
from manyheads_shared.digest import DIGEST_PATTERN, Digest

STALL_SECONDS = 60.0  # without a byte; the client resumes later

router = APIRouter(prefix="/uploads", tags=["uploads"])

DigestParameter = Annotated[Digest, PathParameter(pattern=DIGEST_PATTERN)]


_HEADERS = {
    OFFSET_HEADER: {"description": "bytes that the hub holds", "schema": {"type": "integer"}},
    LENGTH_HEADER: {"description": "bytes of the whole object, once they are known", "schema": {"type": "integer"}},
}
_BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}, "required": True}


@router.head("/{digest}", response_class=Response, responses={200: {"headers": _HEADERS}})
def head_upload(hub: HubDep, caller: CallerDep, digest: DigestParameter) -> Response:
    """How many bytes of an object the caller has uploaded: `Upload-Offset`, 0 when none."""
    progress = service.get_progress(hub, caller, digest)
    return _answer(200, progress)


@router.patch(
    "/{digest}",
    status_code=204,
    response_class=Response,
    responses={204: {"headers": _HEADERS}},
    openapi_extra={"requestBody": _BODY},
)
async def patch_upload(
    *,
    request: Request,
    hub: HubDep,
    caller: CallerDep,
    digest: DigestParameter,
    offset: Annotated[int, Header(alias=OFFSET_HEADER, ge=0)],
    length: Annotated[int, Header(alias=LENGTH_HEADER, ge=1)],
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> Response:
    """Append the body to an object. What has arrived stays, however the request ends; the last byte is checked."""
    progress = await run_in_threadpool(service.begin, hub, caller, digest, offset=offset, length=length, body=content_length)
    if not progress.is_complete:
        await _append(request, hub, caller, digest, offset=offset, length=length)
        progress = await run_in_threadpool(service.settle, hub, caller, digest)
    return _answer(204, progress)


async def _append(request: Request, hub: Hub, caller: Caller, digest: Digest, *, offset: int, length: int) -> None:
    """Keep the body as it comes, piece by piece. A caller who hangs up is no error: they resume."""
    held = bytearray(await run_in_threadpool(service.read_begun, hub, caller, digest, offset))
    start = offset - len(held)
    try:
        async for chunk in _with_patience(request.stream()):
            if start + len(held) + len(chunk) > length:
                raise InvalidRequestError(f"expected at most {length} bytes in all, the request brings more")
            held += chunk
            while len(held) >= PIECE_BYTES:
                await run_in_threadpool(service.keep, hub, caller, digest, start, bytes(held[:PIECE_BYTES]))
                del held[:PIECE_BYTES]
                start += PIECE_BYTES
    except ClientDisconnect:
        pass
    finally:
        if held:  # however the request ends, what has come stays
            await run_in_threadpool(service.keep, hub, caller, digest, start, bytes(held))


async def _with_patience(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            with anyio.fail_after(STALL_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise StalledError(f"no byte came for {STALL_SECONDS:.0f} s; what had come is kept, ask HEAD and go on") from error
        yield chunk


def _answer(status_code: int, progress: service.Progress) -> Response:
    headers = {OFFSET_HEADER: str(progress.offset), "Cache-Control": "no-store"}
    if progress.length is not None:
        headers[LENGTH_HEADER] = str(progress.length)
    return Response(status_code=status_code, headers=headers)
