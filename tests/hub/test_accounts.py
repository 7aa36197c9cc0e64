"""Accounts and tokens: what a role may hold, what a token may issue, and when it opens nothing any more."""

import pytest
from sqlalchemy import update

from manyheads_hub.accounts import service, tokens
from manyheads_hub.accounts.roles import ROLES, refuse_scopes
from manyheads_hub.accounts.tables import AccountRow, TokenRow
from manyheads_hub.auth import Holder, authenticate
from manyheads_hub.contributors import invitations
from manyheads_hub.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ScopeError,
    UnauthorisedError,
)
from manyheads_hub.hub import Hub
from manyheads_shared.accounts import IssuedToken, Role, Scope, TokenRequest
from tests.support.live_hub import MAINTAINER, Owner, enrol, issue


def holder_of(hub: Hub, token: str) -> Holder:
    with hub.database.read() as session:
        return authenticate(session, token)


def ask(hub: Hub, token: str, *scopes: Scope, days: int = 1, generators: list[str] | None = None) -> IssuedToken:
    holder = holder_of(hub, token)
    with hub.database.write() as session:
        return tokens.issue_own(
            session, holder, TokenRequest(label="ci", scopes=list(scopes), days=days, generators=generators)
        )


@pytest.mark.parametrize("role", ROLES)
def test_a_token_without_scopes_named_may_what_its_role_may(hub: Hub, role: Role) -> None:
    token = enrol(hub).token if role == "owner" else issue(hub, "grace", role)
    assert holder_of(hub, token).scopes == ROLES[role]


@pytest.mark.parametrize(
    ("role", "scope"),
    [("owner", "review"), ("owner", "admin"), ("reviewer", "admin"), ("reader", "review"), ("maintainer", "submit")],
)
def test_a_role_holds_no_scope_beyond_it(role: Role, scope: Scope) -> None:
    with pytest.raises(ForbiddenError, match=f"got {scope}"):
        refuse_scopes(role, {scope}, None)


def test_a_token_issues_a_weaker_one_and_no_stronger(hub: Hub, ada: Owner) -> None:
    weaker = ask(hub, ada.token, "read", "account").token
    assert holder_of(hub, weaker).scopes == {"read", "account"}
    with pytest.raises(ScopeError, match="yours lacks submit"):
        ask(hub, weaker, "submit")


def test_a_token_issues_none_that_outlives_it(hub: Hub, ada: Owner) -> None:
    week = ask(hub, ada.token, "account", days=7).token
    with pytest.raises(InvalidRequestError, match="outlives it"):
        ask(hub, week, "account", days=8)


def test_a_token_for_one_generator_reaches_no_other_token(hub: Hub, ada: Owner) -> None:
    assert ask(hub, ada.token, "submit", generators=["alpha"]).info.generators == ["alpha"]
    with pytest.raises(InvalidRequestError, match="not account"):
        ask(hub, ada.token, "submit", "account", generators=["alpha"])


def test_a_token_for_another_owners_generator_is_refused(hub: Hub, ada: Owner) -> None:
    enrol(hub, "bob", ["gamma"])
    with pytest.raises(ForbiddenError, match="gamma is no generator of ada"):
        ask(hub, ada.token, "submit", generators=["gamma"])


def test_a_revoked_token_opens_nothing_and_says_why(hub: Hub, ada: Owner) -> None:
    number = holder_of(hub, ada.token).token_id
    with hub.database.write() as session:
        tokens.revoke_token(session, MAINTAINER, number, "it was in a log")
    with pytest.raises(UnauthorisedError, match="it was in a log"):
        holder_of(hub, ada.token)
    with hub.database.write() as session, pytest.raises(ConflictError, match="revoked on"):
        tokens.revoke_token(session, MAINTAINER, number, "again")


def test_nobody_revokes_anothers_token_as_their_own(hub: Hub, ada: Owner) -> None:
    bob = holder_of(hub, enrol(hub, "bob", ["gamma"]).token)
    with hub.database.write() as session, pytest.raises(NotFoundError, match="of yours"):
        tokens.revoke_token(session, bob.actor, holder_of(hub, ada.token).token_id, "mine", account_id=bob.account_id)


def test_nobody_is_called_as_the_hub_calls_its_worker(hub: Hub) -> None:
    with hub.database.write() as session, pytest.raises(InvalidRequestError, match="another name"):
        service.open_account(session, MAINTAINER, "worker", "reader")
    with hub.database.write() as session, pytest.raises(InvalidRequestError, match="another name"):
        invitations.invite(session, MAINTAINER, "worker", ["alpha"])


def test_a_closed_account_has_no_tokens_and_its_name_is_never_given_again(hub: Hub, ada: Owner) -> None:
    with hub.database.write() as session:
        service.close_account(session, MAINTAINER, "ada", "left")
    with pytest.raises(UnauthorisedError, match="left"):
        holder_of(hub, ada.token)
    with hub.database.write() as session, pytest.raises(ConflictError, match="never given twice"):
        service.open_account(session, MAINTAINER, "ada", "reviewer")
    with pytest.raises(ConflictError, match="gets no tokens"):
        enrol(hub, "ada", ["alpha"], key=ada.key)
    with pytest.raises(ConflictError, match="alpha is enrolled for another owner"):
        enrol(hub, "bob", ["alpha"])


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        (TokenRow, {"expires": "2026-01-02T03:04:05Z"}, "expired on 2026-01-02"),
        (AccountRow, {"closed": "2026-01-02T03:04:05Z", "reason": "left"}, "was closed on 2026-01-02"),
    ],
)
def test_a_token_is_looked_at_anew_each_time(hub: Hub, ada: Owner, table: type, change: dict[str, str], words: str) -> None:
    holder_of(hub, ada.token)
    with hub.database.write() as session:
        session.execute(update(table).values(**change))
    with pytest.raises(UnauthorisedError, match=words):
        holder_of(hub, ada.token)
