"""/v1/uploads: bytes stream from the socket to the disk, after token, size and offset were checked."""

from collections.abc import AsyncIterator
from typing import Annotated, BinaryIO

import anyio
from fastapi import APIRouter, Header, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from manyheads_hub.deps import CallerDep, HubDep
from manyheads_hub.errors import InvalidRequestError, StalledError
from manyheads_hub.uploads import service
from manyheads_shared.api import LENGTH_HEADER, OFFSET_HEADER
from manyheads_shared.digest import DIGEST_PATTERN, Digest

STALL_SECONDS = 60.0  # without a byte; the client resumes later, and the file's lock is free again

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
        with service.open_partial(hub, caller, digest, offset=offset) as stream:
            offset = await _append(request, stream, offset=offset, length=length)
            if offset == length:
                await run_in_threadpool(service.complete, hub, caller, digest)
        progress = service.Progress(offset, length, is_complete=offset == length)
    return _answer(204, progress)


async def _append(request: Request, stream: BinaryIO, *, offset: int, length: int) -> int:
    """Write the body as it comes and return the new offset. A caller who hangs up is no error: they resume."""
    try:
        async for chunk in _with_patience(request.stream()):
            if offset + len(chunk) > length:
                raise InvalidRequestError(f"expected at most {length} bytes in all, the request brings more")
            await run_in_threadpool(write_whole, stream, chunk)
            offset += len(chunk)
    except ClientDisconnect:
        pass
    return offset


def write_whole(stream: BinaryIO, chunk: bytes) -> None:
    """Write a chunk to an unbuffered file, which may take a part of it at a time."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[stream.write(rest) :]


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
