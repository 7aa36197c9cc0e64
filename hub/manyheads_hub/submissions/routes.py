"""/v1/submissions."""

from fastapi import APIRouter, Response

from manyheads_hub.deps import CallerDep, HubDep, SessionDep
from manyheads_hub.errors import NotReadyError
from manyheads_hub.submissions import checks, service
from manyheads_shared.api import API_PREFIX, SubmissionInfo, SubmissionRequest

router = APIRouter(prefix="/submissions", tags=["submissions"])


@router.post("", status_code=201)
def post_submission(hub: HubDep, caller: CallerDep, request: SubmissionRequest, response: Response) -> SubmissionInfo:
    """Offer a head. It is checked at once, and evaluated as soon as the worker comes to it."""
    settings = hub.fresh_settings()
    if settings.suite is None:
        raise NotReadyError("this hub has no suite yet, so it cannot evaluate a head; ask its maintainer")
    with hub.database.read() as session:
        service.refuse_over_quota(session, caller, settings.limits.submissions_per_day)
        offer = checks.check_offer(session, hub.blobs, caller, request)
    with hub.database.write() as session:
        info = service.receive(session, caller, offer)
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
