"""The pages of who is signed in: the account, and the reviewer's desk. Every form is checked (`pages.visitor`)."""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from manyheads_hub.accounts import service as accounts
from manyheads_hub.accounts import sessions, tokens
from manyheads_hub.accounts.roles import SCOPES
from manyheads_hub.audit import log
from manyheads_hub.audit.log import Actor
from manyheads_hub.catalogue import lifecycle
from manyheads_hub.catalogue import service as catalogue
from manyheads_hub.catalogue.search import Search
from manyheads_hub.deps import HubDep, SessionDep
from manyheads_hub.errors import UnauthorisedError
from manyheads_hub.evaluations import jobs
from manyheads_hub.pages.false_positives import worst_source
from manyheads_hub.pages.render import PagesDep
from manyheads_hub.pages.visitor import (
    FORM_COOKIE,
    SESSION_COOKIE,
    FormVisitorDep,
    VisitorDep,
    cookie_name,
    first_form_token,
    forget_cookie,
    new_form_secret,
    set_cookie,
    verify_form,
)
from manyheads_hub.paging import ITEMS_A_PAGE, PageNumber, cut
from manyheads_hub.submissions import review
from manyheads_hub.submissions import service as submissions
from manyheads_shared.accounts import Scope

LOG_LINES = 200
OWN_PATH = re.compile(r"/(?!/)[A-Za-z0-9/@._-]*")  # where a sign-in may lead: a page of this hub

router = APIRouter(include_in_schema=False)

Change = Literal["yank", "quarantine", "release"]
_CHANGES: dict[Change, tuple[Scope, Callable[[Session, Actor, str, str, str], int]]] = {
    "yank": ("review", lifecycle.yank),
    "quarantine": ("admin", lifecycle.quarantine),
    "release": ("admin", lifecycle.release),
}

Next = Annotated[str, Query(alias="next", max_length=200)]
Text = Annotated[str, Form(max_length=2000)]


@router.get("/sign-in")
def show_sign_in(request: Request, pages: PagesDep, to: Next = "/account") -> HTMLResponse:
    """The form to sign in with a token."""
    page = pages.render("sign_in.html", section="Sign in", form_token=first_form_token(request), to=_own(to), problem=None)
    new_form_secret(request, page)
    return page


@router.post("/sign-in")
def sign_in(
    *,
    request: Request,
    pages: PagesDep,
    hub: HubDep,
    token: Text = "",
    form_token: Text = "",
    to: Annotated[str, Form()] = "/account",
) -> Response:
    """Sign in, and go where the visitor wanted to."""
    verify_form(request, request.cookies.get(cookie_name(request, FORM_COOKIE)), form_token)
    try:
        with hub.database.write() as session:
            secret = sessions.sign_in(session, token.strip())
    except UnauthorisedError as error:
        return pages.render(
            "sign_in.html", section="Sign in", status_code=401, form_token=form_token, to=_own(to), problem=str(error)
        )
    answer = RedirectResponse(_own(to), 303)
    set_cookie(request, answer, SESSION_COOKIE, secret)
    forget_cookie(request, answer, FORM_COOKIE)
    return answer


@router.post("/sign-out")
def sign_out(request: Request, hub: HubDep, visitor: FormVisitorDep) -> Response:
    """End the session."""
    with hub.database.write() as session:
        sessions.sign_out(session, request.cookies[cookie_name(request, SESSION_COOKIE)], visitor)
    answer = RedirectResponse("/", 303)
    forget_cookie(request, answer, SESSION_COOKIE)
    return answer


@router.get("/account")
def show_account(pages: PagesDep, hub: HubDep, session: SessionDep, visitor: VisitorDep) -> HTMLResponse:
    """Who is signed in, and their tokens."""
    holder = visitor.holder
    listed = tokens.list_tokens(session, holder.account_id) if "account" in holder.scopes else []
    return pages.render(
        "account.html",
        section="Account",
        account=accounts.describe(session, holder, hub.settings.name),
        tokens=[info for _, info in listed],
        scopes=SCOPES,
    )


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(hub: HubDep, visitor: FormVisitorDep, token_id: int, reason: Text = "") -> Response:
    """Revoke one of the visitor's tokens."""
    holder = visitor.holder
    holder.require("account")
    with hub.database.write() as session:
        reason = lifecycle.check_reason(reason)
        tokens.revoke_token(session, holder.actor, token_id, reason, account_id=holder.account_id)
    return RedirectResponse("/account", 303)


@router.get("/review")
def show_desk(pages: PagesDep, session: SessionDep, visitor: VisitorDep, number: PageNumber = 1) -> HTMLResponse:
    """What there is to review: what waits, what was decided lately, and the catalogue, a page of it."""
    visitor.holder.require("review")
    total = catalogue.count_entries(session, Search())
    return pages.render(
        "review.html",
        section="Review",
        waiting=submissions.list_all(session, waiting=True)[::-1],  # first come, first
        decided=submissions.list_all(session, ITEMS_A_PAGE, waiting=False),
        page=cut(partial(catalogue.list_entries, session, Search()), total, number),
    )


@router.get("/review/submissions/{submission_id}")
def review_submission(pages: PagesDep, session: SessionDep, visitor: VisitorDep, submission_id: str) -> HTMLResponse:
    """One submission whole, with its figures and what the gate said."""
    visitor.holder.require("review")
    submission = submissions.get(session, submission_id)
    worst = {
        external: submission.evaluation and worst_source(submission.evaluation, submission.generator, external=external)
        for external in (False, True)
    }
    return pages.render(
        "review_submission.html",
        section="Review",
        submission=submission,
        worst=worst[False],
        worst_external=worst[True],
        last_error=jobs.last_error(session, submission_id),
        history=log.newest(session, 50, subject=submission_id),
    )


@router.post("/review/submissions/{submission_id}/refuse")
def refuse_submission(hub: HubDep, visitor: FormVisitorDep, submission_id: str, reason: Text = "") -> Response:
    """Refuse a submission that waits."""
    visitor.holder.require("review")
    with hub.database.write() as session:
        review.refuse(session, visitor.holder.actor, submission_id, reason)
    return RedirectResponse(f"/review/submissions/{submission_id}", 303)


@router.get("/review/heads/{name}/{version}")
def review_head(pages: PagesDep, session: SessionDep, visitor: VisitorDep, name: str, version: str) -> HTMLResponse:
    """One catalogued head, its history, and what may be done with it."""
    visitor.holder.require("review")
    entry = catalogue.get_entry(session, name, version)
    possible: dict[Change, bool] = {
        "yank": entry.state == "listed",
        "quarantine": entry.state != "quarantined",
        "release": entry.state == "quarantined",
    }
    return pages.render(
        "review_head.html",
        section="Review",
        entry=entry,
        changes=[change for change, (scope, _) in _CHANGES.items() if possible[change] and scope in visitor.holder.scopes],
        history=log.newest(session, 50, subject=entry.generator.title),
    )


@router.post("/review/heads/{name}/{version}/{change}")
def change_head(
    *, hub: HubDep, visitor: FormVisitorDep, name: str, version: str, change: Change, reason: Text = ""
) -> Response:
    """Yank, quarantine or release a head; the worker publishes the bundle that follows from it."""
    scope, do = _CHANGES[change]
    visitor.holder.require(scope)
    with hub.database.write() as session:
        do(session, visitor.holder.actor, name, version, reason)
    return RedirectResponse(f"/review/heads/{name}/{version}", 303)


@router.get("/review/log")
def show_log(pages: PagesDep, session: SessionDep, visitor: VisitorDep) -> HTMLResponse:
    """The newest lines of the audit log."""
    visitor.holder.require("audit")
    return pages.render("log.html", section="Log", entries=log.newest(session, LOG_LINES), head=log.head(session))


def _own(path: str) -> str:
    return path if OWN_PATH.fullmatch(path) else "/account"
