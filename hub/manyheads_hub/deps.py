"""What endpoints ask for: the hub, its blobs, a reading session, the caller.

A session given to an endpoint only reads. An endpoint that changes something opens `hub.database.write()` for the moment
it needs, so that no lock is held while bytes arrive or images are decoded.
"""

from collections.abc import Iterator
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from manyheads_hub.auth import Caller, authenticate, needs_note, note_use
from manyheads_hub.blobs import Blobs
from manyheads_hub.hub import Hub


def get_hub(request: Request) -> Hub:
    """Return the hub this app serves."""
    hub: Hub = request.app.state.hub
    return hub


def get_door(request: Request) -> CapacityLimiter:
    """Return what lets few offers at a time be checked. Whoever waits for it holds no thread."""
    door: CapacityLimiter = request.app.state.door
    return door


HubDep = Annotated[Hub, Depends(get_hub)]


def get_blobs(hub: HubDep) -> Blobs:
    """Return the hub's blobs."""
    return hub.blobs


def get_session(hub: HubDep) -> Iterator[Session]:
    """Yield a reading session, closed before the answer is sent."""
    with hub.database.read() as session:
        yield session


DoorDep = Annotated[CapacityLimiter, Depends(get_door)]
BlobsDep = Annotated[Blobs, Depends(get_blobs)]
SessionDep = Annotated[Session, Depends(get_session, scope="function")]

_bearer = HTTPBearer(auto_error=False, description="a token from `manyheads-hub enrol`")


def get_caller(hub: HubDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
    """Return the contributor whose token came."""
    with hub.database.read() as session:
        caller = authenticate(session, credentials.credentials if credentials else None)
    if needs_note(caller):
        with hub.database.write() as session:
            note_use(session, caller)
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]
