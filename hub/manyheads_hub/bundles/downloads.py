"""Files to whoever may have them: streamed through the hub, from any byte on, or by an address in the bucket."""

import re
from collections.abc import Iterator
from contextlib import ExitStack

from fastapi import Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from manyheads_hub.storage.port import Storage, is_name

FOR_EVER = "public, max-age=31536000, immutable"  # what a digest or a TUF version names never changes
ASK_AGAIN = "no-cache"

_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


def send_file(
    storage: Storage, name: str, request: Request, *, media_type: str, cache: str = FOR_EVER, linked: bool = True
) -> Response | None:
    """Answer with a file, or the part of it that was asked for; None when there is none.

    Args:
        linked: a large file: where the storage gives out addresses, send the caller there.
    """
    size = storage.find_size(name) if is_name(name) else None
    if size is None:
        return None
    if linked and (address := storage.link(name)) is not None:
        return RedirectResponse(address, headers={"Cache-Control": "no-store"})  # 307; the address runs out
    start, end, status = _choose_part(request.headers.get("range"), size)
    headers = {"Accept-Ranges": "bytes", "Cache-Control": cache, "Content-Length": str(end - start)}
    if status == 416:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(_open(storage, name, start, None if end == size else end), status, headers, media_type)


def _open(storage: Storage, name: str, start: int, end: int | None) -> Iterator[bytes]:
    """Open the file before the answer begins, so that one that cannot be opened is an answer of its own."""
    stack = ExitStack()
    chunks = stack.enter_context(storage.stream(name, start=start, end=end))

    def flow() -> Iterator[bytes]:
        with stack:
            yield from chunks

    return flow()


def _choose_part(wanted: str | None, size: int) -> tuple[int, int, int]:
    """Return start, end and status for a Range header. One part is served; anything else is answered whole (RFC 9110)."""
    found = _RANGE.fullmatch(wanted or "")
    if found is None:
        return 0, size, 200
    start, last = int(found[1]), int(found[2]) if found[2] else size - 1
    if start >= size:
        return 0, 0, 416
    if last < start:
        return 0, size, 200
    return start, min(last + 1, size), 206
