"""Templates to HTML. The templates ask for nothing foreign and hold no script, so the strictest content policy fits them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import QueryParams

from manyheads_hub.accounts.sessions import SignedIn
from manyheads_hub.deps import HubDep, get_hub
from manyheads_hub.hub import Hub
from manyheads_hub.pages import plots, words
from manyheads_hub.pages.heat_map import heat_legend
from manyheads_hub.pages.visitor import find_visitor
from manyheads_hub.paging import page_address
from manyheads_shared import __version__
from manyheads_shared.api import API_PREFIX, Problem
from manyheads_shared.digest import digest_bytes, hex_of, short

STATIC_TYPES = {"manyheads.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml"}


@dataclass(frozen=True)
class Pages:
    """Renders the pages of one hub for one request."""

    hub: str  # the hub's name
    url: str  # the address under which the reader sees the hub, without a slash at the end
    path: str
    asked: QueryParams
    signed_in: SignedIn | None = None

    def render(self, template: str, *, section: str, status_code: int = 200, **values: Any) -> HTMLResponse:
        """Render a template.

        Args:
            section: the entry of the navigation it belongs to; empty for none.
        """
        page = _environment().get_template(template)
        here = {"hub": self.hub, "url": self.url, "path": self.path, "signed_in": self.signed_in}
        text = page.render(section=section, page_address=partial(page_address, self.asked), **here, **values)
        return HTMLResponse(text, status_code, headers={"Cache-Control": "no-store" if self.signed_in else "no-cache"})


def get_pages(request: Request, hub: HubDep) -> Pages:
    """Return the pages of the hub that this request came to, for whoever signed in."""
    request.state.pages = replace(_pages_for_anyone(request, hub), signed_in=find_visitor(request, hub))
    pages: Pages = request.state.pages
    return pages


def _pages_for_anyone(request: Request, hub: Hub) -> Pages:
    return Pages(hub.settings.name, str(request.base_url).rstrip("/"), request.url.path, request.query_params)


PagesDep = Annotated[Pages, Depends(get_pages)]


def desk_pages(signed_in: SignedIn | None) -> list[tuple[str, str]]:
    """Return the entries of the navigation that depend on who reads the page."""
    if signed_in is None:
        return [("/sign-in", "Sign in")]
    by_scope = (("review", ("/review", "Review")), ("audit", ("/review/log", "Log")))
    return [*(entry for scope, entry in by_scope if scope in signed_in.holder.scopes), ("/account", "Account")]


def wants_page(request: Request) -> bool:
    """Whether an answer should be a page: a browser asks, and not for the API or the TUF repository."""
    if request.url.path.startswith((f"{API_PREFIX}/", "/tuf/")):
        return False
    return "text/html" in request.headers.get("accept", "").lower()


def problem_page(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a problem as a page, with its status code and the headers that belong to it."""
    known = getattr(request.state, "pages", None)  # no look into a database that may be what failed
    pages: Pages = known or _pages_for_anyone(request, get_hub(request))
    back = request.url.path if request.method == "GET" else "/account"  # after signing in; a form is not sent again
    page = pages.render("problem.html", section="", status_code=problem.status, problem=problem, back=back)
    page.headers.update(headers or {})
    return page


@cache
def static_file(name: str) -> bytes:
    """Return a file of the style. `name` is one of `STATIC_TYPES`."""
    return resources.files(__package__).joinpath("static", name).read_bytes()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "auroc": words.auroc,
        "budget": words.budget,
        "date": words.date,
        "group_title": words.GROUP_TITLES.__getitem__,
        "head_state": words.HEAD_STATES.__getitem__,
        "hex": hex_of,
        "interval": words.interval,
        "interval_row": plots.interval_row,
        "megabytes": words.megabytes,
        "moment": words.moment,
        "number": words.number,
        "percent": words.percent,
        "reason": words.reason,
        "short": short,
        "submission_state": words.SUBMISSION_STATES.__getitem__,
        "waiting": words.waiting,
    }
    # a changed file gets a new address, so that browsers may keep the old one for ever
    version = hex_of(digest_bytes(b"".join(static_file(name) for name in sorted(STATIC_TYPES))))[:12]
    environment.globals |= {
        "asset_version": version,
        "desk_pages": desk_pages,
        "heat_legend": heat_legend(),
        "share_axis": plots.share_axis(),
        "software": __version__,
    }
    return environment
