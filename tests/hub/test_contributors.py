"""Enrolment: one key for each owner, one owner for each generator, one token at a time."""

import pytest
from sqlalchemy import update

from manyheads_hub.accounts.tables import TokenRow
from manyheads_hub.auth import authenticate, to_caller
from manyheads_hub.contributors import service
from manyheads_hub.errors import ConflictError, InvalidRequestError, UnauthorisedError
from manyheads_hub.hub import Hub
from manyheads_shared.errors import SignatureError, UsageError
from manyheads_shared.keys import generate_key, public_pem
from tests.support.live_hub import Owner, enrol


def caller_of(hub: Hub, token: str | None) -> tuple[str, frozenset[str]]:
    with hub.database.read() as session:
        caller = to_caller(session, authenticate(session, token))
    return caller.owner, caller.generators


def test_a_token_stands_for_its_owner_and_their_generators(hub: Hub, ada: Owner) -> None:
    assert caller_of(hub, ada.token) == ("ada", frozenset({"alpha", "beta"}))


def test_enrolling_again_adds_generators_and_replaces_the_token(hub: Hub, ada: Owner) -> None:
    again = enrol(hub, "ada", ["gamma"], key=ada.key)
    assert caller_of(hub, again.token) == ("ada", frozenset({"alpha", "beta", "gamma"}))
    with pytest.raises(UnauthorisedError, match=r"revoked on .*: replaced by another enrolment"):
        caller_of(hub, ada.token)


@pytest.mark.parametrize("token", [None, "", "mh_guess"])
def test_no_token_or_an_unknown_one_is_refused(hub: Hub, token: str | None) -> None:
    with pytest.raises(UnauthorisedError):
        caller_of(hub, token)


def test_a_token_expires(hub: Hub, ada: Owner) -> None:
    with hub.database.write() as session:
        session.execute(update(TokenRow).values(expires="2026-01-02T03:04:05Z"))
    with pytest.raises(UnauthorisedError, match="expired on 2026-01-02"):
        caller_of(hub, ada.token)


def test_another_key_for_the_same_owner_is_refused(hub: Hub, ada: Owner) -> None:
    with pytest.raises(ConflictError, match="ada is enrolled with key"):
        enrol(hub, "ada", ["alpha"])


def test_the_same_key_for_another_owner_is_refused(hub: Hub, ada: Owner) -> None:
    with pytest.raises(ConflictError, match="bob needs a key of their own"):
        enrol(hub, "bob", ["gamma"], key=ada.key)


def test_a_generator_has_one_owner_and_a_refusal_enrols_nobody(hub: Hub, ada: Owner) -> None:
    with pytest.raises(ConflictError, match="alpha is enrolled for another owner"):
        enrol(hub, "bob", ["gamma", "alpha"])
    enrol(hub, "carol", ["gamma"])


@pytest.mark.parametrize(("owner", "generator"), [("Ada", "x"), ("bob", "x y"), ("bob", "")])
def test_what_is_no_name_is_refused(hub: Hub, owner: str, generator: str) -> None:
    with pytest.raises(InvalidRequestError, match="expected a name"):
        enrol(hub, owner, [generator])


def test_what_is_no_public_key_is_refused(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("keys")
    with pytest.raises(UsageError, match="cannot be read as a public key"):
        service.read_public_key(folder / "missing.pem")
    (folder / "key.pem").write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(SignatureError):
        service.read_public_key(folder / "key.pem")
    pem = public_pem(generate_key().public_key)
    (folder / "key.pem").write_text(pem)
    assert service.read_public_key(folder / "key.pem") == pem
