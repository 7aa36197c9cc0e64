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

from manyheads_hub.auth import Caller, Holder, authenticate, needs_note, note_use, to_caller
from manyheads_hub.blobs import Blobs
from manyheads_hub.hub import Hub
from manyheads_shared.accounts import Scope


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

_bearer = HTTPBearer(auto_error=False, description="a token, as `manyheads-hub enrol` and `tokens issue` print it")
_invited = HTTPBearer(auto_error=False, scheme_name="Invitation", description="a code, as `manyheads-hub invite` prints it")


def get_holder(hub: HubDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Holder:
    """Return whose token came."""
    with hub.database.read() as session:
        holder = authenticate(session, credentials.credentials if credentials else None)
    if needs_note(holder):
        with hub.database.write() as session:
            note_use(session, holder)
    return holder


HolderDep = Annotated[Holder, Depends(get_holder)]


class Needs:
    """A dependency: the holder of a token that has a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, holder: HolderDep) -> Holder:
        """Return the holder."""
        holder.require(self.scope)
        return holder


ReaderDep = Annotated[Holder, Depends(Needs("read"))]
AccountDep = Annotated[Holder, Depends(Needs("account"))]
ReviewerDep = Annotated[Holder, Depends(Needs("review"))]
AuditorDep = Annotated[Holder, Depends(Needs("audit"))]
AdminDep = Annotated[Holder, Depends(Needs("admin"))]


def get_caller(hub: HubDep, holder: Annotated[Holder, Depends(Needs("submit"))]) -> Caller:
    """Return the contributor whose token came, if it is one to submit with."""
    with hub.database.read() as session:  # not `SessionDep`: an upload's endpoint runs for minutes
        return to_caller(session, holder)


def get_reading_caller(hub: HubDep, holder: ReaderDep) -> Caller:
    """Return the contributor whose token came, if it is one to read with."""
    with hub.database.read() as session:
        return to_caller(session, holder)


def get_invitation(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_invited)]) -> str | None:
    """Return the code of an invitation that came; whether it is good is for `contributors.invitations`."""
    return credentials.credentials if credentials else None


CallerDep = Annotated[Caller, Depends(get_caller)]
ReadingCallerDep = Annotated[Caller, Depends(get_reading_caller)]
InvitationDep = Annotated[str | None, Depends(get_invitation)]
