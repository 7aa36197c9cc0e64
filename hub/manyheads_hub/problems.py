"""Every error the API answers with is a problem document (RFC 9457) with a stable `code`; a browser is shown it as a page."""

import errno
import logging
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from manyheads_hub.errors import HubError, RateLimitError, UploadOffsetError, code_of
from manyheads_hub.pages.render import problem_page, wants_page
from manyheads_hub.security import SECURITY_HEADERS
from manyheads_shared.api import OFFSET_HEADER, Problem
from manyheads_shared.errors import FormatError, ImageError, ManyheadsError, VerificationError

MEDIA_TYPE = "application/problem+json"
POSTGRES_DISK_FULL = "53100"

logger = logging.getLogger(__name__)


def add_handlers(app: FastAPI) -> None:
    """Make every error of an app a problem document."""
    app.add_exception_handler(ManyheadsError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(OSError, _on_os_error)
    app.add_exception_handler(OperationalError, _on_database_error)
    app.add_exception_handler(InterfaceError, _on_unavailable)
    app.add_exception_handler(PoolTimeoutError, _on_unavailable)
    app.add_exception_handler(DataError, _on_impossible_value)
    app.add_exception_handler(Exception, _on_bug)


def problem_response(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document as a response."""
    return Response(_build(status, code, detail).model_dump_json(), status, headers, MEDIA_TYPE)


def _build(status: int, code: str, detail: str) -> Problem:
    return Problem(title=HTTPStatus(status).phrase, status=status, code=code, detail=detail)


def answer_problem(request: Request, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document, or the page of it where a browser asks for one."""
    if wants_page(request):
        return problem_page(request, _build(status, code, detail), headers)
    return problem_response(status, code, detail, headers)


def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ManyheadsError)
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, UploadOffsetError):
        headers[OFFSET_HEADER] = str(error.offset)
    if isinstance(error, RateLimitError):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, HubError):
        if error.status_code == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return answer_problem(request, error.status_code, code_of(error), str(error), headers)
    if isinstance(error, FormatError | VerificationError | ImageError):  # about the bytes the caller sent
        return answer_problem(request, 422, code_of(error), str(error), headers)
    logger.error("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, error)
    return answer_problem(request, 500, code_of(error), "the hub could not do this; its log says why")


def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first, *more = error.errors()
    place = ".".join(str(part) for part in first["loc"])
    also = f"; and {len(more)} more" if more else ""
    return answer_problem(
        request, 422, "invalid-request", f"{place}: {first['msg']}{also}. /v1/openapi.json says what is expected."
    )


def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            return answer_problem(
                request, 404, "not-found", f"no page or endpoint {request.url.path[:200]!r}; see /v1/openapi.json"
            )
        case 405:
            allowed = (error.headers or {}).get("Allow", "other methods")
            detail = f"{request.method} is not done here, only {allowed}"
            return answer_problem(request, 405, "method-not-allowed", detail, dict(error.headers or {}))
        case _:
            return answer_problem(request, error.status_code, "refused", str(error.detail), dict(error.headers or {}))


def _on_os_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    return _answer_full(request)


def _on_database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OperationalError)
    sqlite_code, postgres_code = (getattr(error.orig, name, None) for name in ("sqlite_errorcode", "sqlstate"))
    if sqlite_code == sqlite3.SQLITE_FULL or postgres_code == POSTGRES_DISK_FULL:
        return _answer_full(request)
    if sqlite_code is not None and sqlite_code != sqlite3.SQLITE_BUSY:
        raise error
    return _on_unavailable(request, error)


def _on_unavailable(request: Request, error: Exception) -> Response:
    """Answer while the database is restarted, moved or overrun."""
    logger.error("%s %s: %s", request.method, request.url.path, error)
    detail = "the hub's database does not answer just now; nothing was changed, try again in a moment"
    return answer_problem(request, 503, "unavailable", detail, {"Retry-After": "5"})


def _on_impossible_value(request: Request, error: Exception) -> Response:
    """Answer for a text that PostgreSQL cannot hold: one with a zero byte."""
    return answer_problem(request, 422, "invalid-request", "expected text without zero bytes in the address and the query")


def _answer_full(request: Request) -> Response:
    logger.error("%s %s: no space left on the disk", request.method, request.url.path)
    detail = "no space left on the hub's disk; nothing was stored, try again when its maintainer has made room"
    return answer_problem(request, HTTPStatus.INSUFFICIENT_STORAGE, "disk-full", detail)


def _on_bug(request: Request, error: Exception) -> Response:
    """Answer for a bug; the server logs the traceback itself."""
    detail = "a mistake in the hub; its log has the details"
    return answer_problem(request, 500, "internal", detail, SECURITY_HEADERS)  # no middleware lies outside this answer
