"""One change in a hub's folder, in one transaction: written, or with --dry-run taken back."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from manyheads_shared import terminal

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from manyheads_hub.audit.log import Actor
    from manyheads_hub.hub import Hub

T = TypeVar("T")


def change(folder: Path, do: "Callable[[Session, Actor], T]", *, dry_run: bool) -> T:
    """Return what a change returns, after it was written, or taken back."""
    from manyheads_hub.audit.log import folder_actor
    from manyheads_hub.hub import open_hub

    with open_hub(folder) as hub, hub.database.write() as session:
        result = do(session, folder_actor())
        if dry_run:
            session.rollback()
        return result


def note(hub: "Hub", action: str, subject: str, **details: Any) -> None:
    """Append to the audit log what was changed outside the database: keys and what they sign."""
    from manyheads_hub.audit.log import folder_actor, record

    with hub.database.write() as session:
        record(session, folder_actor(), action, subject, details=details)


def read(folder: Path, ask: "Callable[[Session], T]") -> T:
    """Return what a hub's database answers."""
    from manyheads_hub.hub import open_hub

    with open_hub(folder) as hub, hub.database.read() as session:
        return ask(session)


def say(what: str, value: Any, *, dry_run: bool, as_json: bool) -> None:
    """Print what was done, or would be."""
    if as_json:
        terminal.print_json({"dry_run": dry_run} | value)
    else:
        terminal.stdout.print(f"{'would have ' if dry_run else ''}{what}", soft_wrap=True)
