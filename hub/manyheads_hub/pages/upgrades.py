"""The pages about upgrades: primaries and candidates with the compatibility matrix, and retention reports."""

from functools import partial

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from manyheads_hub.deps import HubDep, SessionDep
from manyheads_hub.errors import NotFoundError
from manyheads_hub.pages.render import PagesDep
from manyheads_hub.paging import PageNumber, Slice, cut
from manyheads_hub.primaries import service as primaries
from manyheads_hub.upgrades import candidates, notices
from manyheads_hub.upgrades.reports import read_report
from manyheads_shared.api import CompatibilityInfo
from manyheads_shared.digest import parse_digest
from manyheads_shared.errors import ManifestError

router = APIRouter(include_in_schema=False)


@router.get("/upgrades")
def show_upgrades(pages: PagesDep, session: SessionDep, number: PageNumber = 1) -> HTMLResponse:
    """Primaries there were, candidates there are, and how every head stands on the present primary."""
    present = primaries.get_current(session)
    heads: Slice[CompatibilityInfo] = Slice([], 1, 1)
    if present is not None:
        total = notices.count_compatibility(session, present.digest)
        heads = cut(partial(notices.list_compatibility, session, present.digest), total, number)
    return pages.render(
        "upgrades.html",
        section="Upgrades",
        present=present,
        primaries=primaries.list_published(session),
        candidates=candidates.list_candidates(session),
        page=heads,
    )


@router.get("/retention/{name}")
def show_retention(pages: PagesDep, hub: HubDep, session: SessionDep, name: str, number: PageNumber = 1) -> HTMLResponse:
    """A retention report, by the hexadecimal digest of its primary."""
    try:
        digest = parse_digest(f"sha256:{name}")
    except ManifestError as error:
        raise NotFoundError(f"no retention report {name[:80]!r}") from error
    report = read_report(hub, candidates.report_digest(session, digest))
    page = cut(lambda limit, offset: report.heads[offset : offset + limit], len(report.heads), number)
    return pages.render("retention.html", section="Upgrades", report=report, page=page)
