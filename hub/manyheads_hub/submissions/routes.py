"""/v1/submissions, for owners, each their own; /v1/review, for reviewers, all of them."""

from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Response

from manyheads_hub.deps import CallerDep, DoorDep, HubDep, ReadingCallerDep, ReviewerDep, SessionDep
from manyheads_hub.evaluations.policy import read_policy
from manyheads_hub.paging import PagerDep
from manyheads_hub.submissions import answers, review, service
from manyheads_shared.accounts import Because
from manyheads_shared.api import API_PREFIX, BudgetInfo, ChallengeAnswer, ChallengeInfo, SubmissionInfo, SubmissionRequest

router = APIRouter(tags=["submissions"])


@router.post("/submissions", status_code=201)
async def post_submission(
    hub: HubDep, caller: CallerDep, door: DoorDep, request: SubmissionRequest, response: Response
) -> SubmissionInfo:
    """Offer a head. It is checked at once, and evaluated as soon as the worker comes to it."""
    info = await to_thread.run_sync(service.take_offer, hub, caller, request, limiter=door)
    response.headers["Location"] = f"{API_PREFIX}/submissions/{info.id}"
    return info


@router.get("/submissions")
def list_submissions(session: SessionDep, caller: ReadingCallerDep) -> list[SubmissionInfo]:
    """The caller's submissions, newest first."""
    return service.list_own(session, caller)


@router.get("/submissions/{submission_id}")
def get_submission(session: SessionDep, caller: ReadingCallerDep, submission_id: str) -> SubmissionInfo:
    """One of the caller's submissions."""
    return service.get_own(session, caller, submission_id)


@router.get("/submissions/{submission_id}/challenge")
def get_challenge(session: SessionDep, caller: ReadingCallerDep, submission_id: str) -> ChallengeInfo:
    """The ownership challenge of one of the caller's submissions."""
    return answers.get_challenge(session, caller, submission_id)


@router.post("/submissions/{submission_id}/challenge")
async def post_challenge_answer(
    hub: HubDep, caller: CallerDep, door: DoorDep, submission_id: str, answer: ChallengeAnswer
) -> ChallengeInfo:
    """Answer an ownership challenge. It is checked at once, and measured as soon as the worker comes to it."""
    return await to_thread.run_sync(answers.take_answer, hub, caller, submission_id, answer, limiter=door)


@router.get("/budget")
def get_budget(hub: HubDep, session: SessionDep, caller: ReadingCallerDep) -> BudgetInfo:
    """What the caller has used and may use: examinations on the present hidden suite, submissions, offers, room for files."""
    settings = hub.fresh_settings()
    return service.get_budget(session, caller, read_policy(settings.policy), settings.limits)


@router.get("/review/submissions")
def list_all_submissions(session: SessionDep, holder: ReviewerDep, pager: PagerDep) -> list[SubmissionInfo]:
    """Everyone's submissions, newest first, with their figures, a page at a time."""
    return pager.answer(partial(service.list_all, session))


@router.get("/review/submissions/{submission_id}")
def get_any_submission(session: SessionDep, holder: ReviewerDep, submission_id: str) -> SubmissionInfo:
    """Anyone's submission, with its figures."""
    return service.get(session, submission_id)


@router.post("/review/submissions/{submission_id}/refuse")
def refuse_submission(hub: HubDep, holder: ReviewerDep, submission_id: str, request: Because) -> SubmissionInfo:
    """Refuse a submission that waits; it is not evaluated."""
    with hub.database.write() as session:
        review.refuse(session, holder.actor, submission_id, request.reason)
        return service.get(session, submission_id)
