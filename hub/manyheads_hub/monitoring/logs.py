"""Logs on stderr: lines for people, or one JSON object a line for machines. Every line of a request carries its id."""

import logging
import sys
from contextvars import ContextVar
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

LogFormat = Literal["text", "json"]

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_JSON = ("asctime", "levelname", "name", "message")
_NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}


def log_to_stderr(form: LogFormat) -> None:
    """Write what this process logs to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(build_formatter(form))
    handler.addFilter(_add_request)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses, and a webhook's may hold a secret


def build_formatter(form: LogFormat) -> logging.Formatter:
    """Return the formatter of a log line; times are local with their offset."""
    if form == "json":
        return JsonFormatter(_JSON, rename_fields=_NAMES, datefmt="%Y-%m-%dT%H:%M:%S%z", json_ensure_ascii=False)
    return logging.Formatter(_TEXT)


def _add_request(record: logging.LogRecord) -> bool:
    if (current := request_id.get()) is not None:
        record.request = current
    return True
