"""/v1/submissions."""

from anyio import to_thread
from fastapi import APIRouter, Response

from manyheads_hub.deps import CallerDep, DoorDep, HubDep, SessionDep
from manyheads_hub.submissions import service
from manyheads_shared.api import API_PREFIX, SubmissionInfo, SubmissionRequest

router = APIRouter(prefix="/submissions", tags=["submissions"])


@router.post("", status_code=201)
async def post_submission(
    hub: HubDep, caller: CallerDep, door: DoorDep, request: SubmissionRequest, response: Response
) -> SubmissionInfo:
    """Offer a head. It is checked at once, and evaluated as soon as the worker comes to it."""
    info = await to_thread.run_sync(service.take_offer, hub, caller, request, limiter=door)
    response.headers["Location"] = f"{API_PREFIX}/submissions/{info.id}"
    return info


@router.get("")
def list_submissions(session: SessionDep, caller: CallerDep) -> list[SubmissionInfo]:
    """The caller's submissions, newest first."""
    return service.list_own(session, caller)


@router.get("/{submission_id}")
def get_submission(session: SessionDep, caller: CallerDep, submission_id: str) -> SubmissionInfo:
    """One of the caller's submissions."""
    return service.get_own(session, caller, submission_id)
