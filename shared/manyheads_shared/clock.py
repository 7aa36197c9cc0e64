"""Time as documents write it: UTC, whole seconds."""

from datetime import UTC, datetime

FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def now() -> str:
    """Return the present moment."""
    return write_time(datetime.now(UTC))


def write_time(moment: datetime) -> str:
    """Return an aware moment as text."""
    return moment.astimezone(UTC).strftime(FORMAT)


def read_time(text: str) -> datetime:
    """Return the moment a document names, aware, in UTC."""
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)
