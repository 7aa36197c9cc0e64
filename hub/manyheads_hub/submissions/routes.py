"""/v1/submissions."""

from anyio import to_thread
from fastapi import APIRouter, Response

from manyheads_hub.deps import CallerDep, DoorDep, HubDep, SessionDep
from manyheads_hub.evaluations.policy import read_policy
from manyheads_hub.submissions import answers, service
from manyheads_shared.api import API_PREFIX, BudgetInfo, ChallengeAnswer, ChallengeInfo, SubmissionInfo, SubmissionRequest

router = APIRouter(prefix="/submissions", tags=["submissions"])
budget_router = APIRouter(tags=["submissions"])


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


@router.get("/{submission_id}/challenge")
def get_challenge(session: SessionDep, caller: CallerDep, submission_id: str) -> ChallengeInfo:
    """The ownership challenge of one of the caller's submissions."""
    return answers.get_challenge(session, caller, submission_id)


@router.post("/{submission_id}/challenge")
async def post_challenge_answer(
    hub: HubDep, caller: CallerDep, door: DoorDep, submission_id: str, answer: ChallengeAnswer
) -> ChallengeInfo:
    """Answer an ownership challenge. It is checked at once, and measured as soon as the worker comes to it."""
    return await to_thread.run_sync(answers.take_answer, hub, caller, submission_id, answer, limiter=door)


@budget_router.get("/budget")
def get_budget(hub: HubDep, session: SessionDep, caller: CallerDep) -> BudgetInfo:
    """How often the caller's heads were measured on the present hidden suite, and how often they may be."""
    return service.get_budget(session, caller, read_policy(hub.settings.policy))
