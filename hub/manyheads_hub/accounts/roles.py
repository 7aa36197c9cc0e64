"""Which role may hold which scope, and which scopes need an owner. Pure."""

from collections.abc import Collection, Iterable

from manyheads_hub.errors import ForbiddenError, InvalidRequestError
from manyheads_shared.accounts import Role, Scope

SCOPES: dict[Scope, str] = {
    "read": "read what is one's own: account, submissions, keys",
    "submit": "upload files and offer heads; owners only",
    "account": "issue and revoke one's own tokens, and rotate one's own key",
    "review": "read every submission whole, refuse one that waits, yank a head",
    "audit": "read the audit log",
    "admin": "quarantine and release heads, move aliases, subscribe webhooks",
}
ROLES: dict[Role, frozenset[Scope]] = {
    "owner": frozenset({"read", "submit", "account"}),
    "reviewer": frozenset({"read", "account", "review"}),
    "maintainer": frozenset({"read", "account", "review", "audit", "admin"}),
    "reader": frozenset({"read", "account", "audit"}),
}
_OF_ONE_GENERATOR: frozenset[Scope] = frozenset({"read", "submit"})


def order_scopes(scopes: Iterable[Scope]) -> list[Scope]:
    """Return scopes once each, in the order of `SCOPES`."""
    wanted = set(scopes)
    return [scope for scope in SCOPES if scope in wanted]


def refuse_scopes(role: Role, scopes: Collection[Scope], generators: Collection[str] | None) -> None:
    """Check that a role may hold scopes, for some generators or all.

    Raises:
        ForbiddenError: the role may not hold one of them.
        InvalidRequestError: a scope that reaches beyond single generators, for single generators.
    """
    if beyond := order_scopes(set(scopes) - ROLES[role]):
        raise ForbiddenError(
            f"a {role} may hold {', '.join(order_scopes(ROLES[role]))}; expected some of these, got {', '.join(beyond)}"
        )
    if generators is not None and (wide := order_scopes(set(scopes) - _OF_ONE_GENERATOR)):
        raise InvalidRequestError(
            f"a token for single generators may {' and '.join(order_scopes(_OF_ONE_GENERATOR))}, not {', '.join(wide)}: "
            "that would reach beyond them"
        )
