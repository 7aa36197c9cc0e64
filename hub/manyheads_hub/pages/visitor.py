"""Who reads a page, by the cookie of their browser; and whether a form comes from a page that this browser was given.

A form carries a token that only the holder of the cookie's secret could compute, cookies are not sent along from other sites
(SameSite), and a browser that says that a form comes from elsewhere is believed (Sec-Fetch-Site).
"""

import secrets
from typing import Annotated

from fastapi import Depends, Form, Request, Response

from manyheads_hub.accounts.sessions import SESSION_HOURS, SignedIn, find_signed_in, form_token_of, is_form_token
from manyheads_hub.deps import HubDep
from manyheads_hub.errors import FormError, UnauthorisedError
from manyheads_hub.hub import Hub

SESSION_COOKIE = "mh-session"
FORM_COOKIE = "mh-form"  # of a browser that nobody signed in with yet
_OWN_SITE = ("same-origin", "none")


def find_visitor(request: Request, hub: Hub) -> SignedIn | None:
    """Return who signed in with this browser; None for a stranger."""
    secret = request.cookies.get(cookie_name(request, SESSION_COOKIE))
    if secret is None:
        return None
    with hub.database.read() as session:
        return find_signed_in(session, secret)


def get_visitor(request: Request, hub: HubDep) -> SignedIn:
    """Return who signed in with this browser.

    Raises:
        UnauthorisedError: nobody, or not any more.
    """
    visitor = find_visitor(request, hub)
    if visitor is None:
        raise UnauthorisedError("this page is for who is signed in; sign in with a token of this hub")
    return visitor


VisitorDep = Annotated[SignedIn, Depends(get_visitor)]


def get_form_visitor(request: Request, visitor: VisitorDep, form_token: Annotated[str, Form()] = "") -> SignedIn:
    """Return who sent a form.

    Raises:
        UnauthorisedError: nobody who is signed in.
        FormError: it did not come from one of our pages.
    """
    verify_form(request, request.cookies.get(cookie_name(request, SESSION_COOKIE)), form_token)
    return visitor


FormVisitorDep = Annotated[SignedIn, Depends(get_form_visitor)]


def verify_form(request: Request, secret: str | None, form_token: str) -> None:
    """Check that a form comes from a page that this browser was given.

    Raises:
        FormError: it does not.
    """
    site = request.headers.get("sec-fetch-site", "none")
    if site not in _OWN_SITE or secret is None or not is_form_token(secret, form_token):
        raise FormError(
            "this form did not come from a page of this hub, or the page is too old; open the page and send it again"
        )


def new_form_secret(request: Request, response: Response) -> None:
    """Give a browser that nobody signed in with what its first form must match."""
    set_cookie(request, response, FORM_COOKIE, form_secret(request))


def form_secret(request: Request) -> str:
    """Return what a browser's first form must match: what it has, or else something new."""
    known = request.cookies.get(cookie_name(request, FORM_COOKIE))
    if known is None:
        known = getattr(request.state, "form_secret", None) or secrets.token_urlsafe(32)
        request.state.form_secret = known
    return known


def first_form_token(request: Request) -> str:
    """Return what the first form of a browser carries."""
    return form_token_of(form_secret(request))


def set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    """Let a browser keep a secret: out of reach of scripts and of other sites, over TLS only where there is TLS."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=SESSION_HOURS * 3600,
        path="/",
        secure=_is_tls(request),
        httponly=True,
        samesite="strict",
    )


def forget_cookie(request: Request, response: Response, name: str) -> None:
    """Let a browser forget a secret."""
    response.delete_cookie(cookie_name(request, name), path="/", secure=_is_tls(request), httponly=True, samesite="strict")


def cookie_name(request: Request, name: str) -> str:
    """Return a cookie's name: over TLS one that no other host and no plain connection can set."""
    return f"__Host-{name}" if _is_tls(request) else name


def _is_tls(request: Request) -> bool:
    return request.url.scheme == "https"
