"""/v1/account: who a token stands for, and its holder's other tokens."""

from fastapi import APIRouter

from manyheads_hub.accounts import service, tokens
from manyheads_hub.deps import AccountDep, HolderDep, HubDep, SessionDep
from manyheads_shared.accounts import AccountInfo, Because, IssuedToken, TokenInfo, TokenRequest

router = APIRouter(prefix="/account", tags=["accounts"])


@router.get("")
def get_account(hub: HubDep, session: SessionDep, holder: HolderDep) -> AccountInfo:
    """Who the token stands for, and what it may."""
    return service.describe(session, holder, hub.settings.name)


@router.get("/tokens")
def list_account_tokens(session: SessionDep, holder: AccountDep) -> list[TokenInfo]:
    """Every token of the caller's, newest first."""
    return [info for _, info in tokens.list_tokens(session, holder.account_id)]


@router.post("/tokens", status_code=201)
def post_account_token(hub: HubDep, holder: AccountDep, request: TokenRequest) -> IssuedToken:
    """Issue a token that can no more than the one it is asked with. It is shown this once."""
    with hub.database.write() as session:
        return tokens.issue_own(session, holder, request)


@router.post("/tokens/{token_id}/revoke")
def revoke_account_token(hub: HubDep, holder: AccountDep, token_id: int, request: Because) -> TokenInfo:
    """Revoke one of the caller's tokens; the one it is asked with, too."""
    with hub.database.write() as session:
        return tokens.revoke_token(session, holder.actor, token_id, request.reason, account_id=holder.account_id)
