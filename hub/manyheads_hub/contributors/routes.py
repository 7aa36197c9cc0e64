"""/v1/enrolment, for who is invited; /v1/account/keys, for owners."""

from fastapi import APIRouter

from manyheads_hub.auth import to_caller
from manyheads_hub.contributors import invitations, keys
from manyheads_hub.deps import AccountDep, HubDep, InvitationDep, ReadingCallerDep, SessionDep
from manyheads_shared.accounts import Because, Enrolled, EnrolmentInfo, KeyInfo, KeyProofRequest

router = APIRouter(tags=["accounts"])


@router.get("/enrolment")
def get_enrolment(hub: HubDep, session: SessionDep, code: InvitationDep) -> EnrolmentInfo:
    """What an invitation is for, and the nonce to sign."""
    return invitations.describe(session, code, hub.settings.name)


@router.post("/enrolment", status_code=201)
def post_enrolment(hub: HubDep, code: InvitationDep, request: KeyProofRequest) -> Enrolled:
    """Enrol with a key that signs the nonce. The token in the answer is shown this once."""
    with hub.database.write() as session:
        return invitations.accept(session, code, hub.settings.name, request.proof.encode())


@router.get("/account/keys")
def list_account_keys(session: SessionDep, caller: ReadingCallerDep) -> list[KeyInfo]:
    """Every key the caller ever enrolled, newest first."""
    return [info for _, info in keys.list_keys(session, caller.contributor_id)]


@router.post("/account/keys", status_code=201)
def post_account_key(hub: HubDep, holder: AccountDep, request: KeyProofRequest) -> KeyInfo:
    """Replace the caller's key by one that proves its possession; the present key signs too."""
    with hub.database.write() as session:
        return keys.rotate(session, to_caller(session, holder), hub.settings.name, request.proof.encode())


@router.post("/account/keys/{key_id}/revoke")
def revoke_account_key(hub: HubDep, holder: AccountDep, key_id: str, request: Because) -> KeyInfo:
    """Revoke one of the caller's keys. What it signed before stays."""
    with hub.database.write() as session:
        caller = to_caller(session, holder)
        return keys.revoke(session, caller.actor, key_id, request.reason, contributor_id=caller.contributor_id)
