"""The pages' addresses. Each handler gathers values from the slices' services and renders one template."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from manyheads_hub.bundles import service as bundles
from manyheads_hub.catalogue import service as catalogue
from manyheads_hub.catalogue.search import LISTED, UNLISTED, SearchDep
from manyheads_hub.deps import BlobsDep, HubDep, SessionDep
from manyheads_hub.errors import NotFoundError
from manyheads_hub.evaluations.policy import read_policy
from manyheads_hub.hub import Hub
from manyheads_hub.pages import queries, words
from manyheads_hub.pages.false_positives import list_sections, worst_source
from manyheads_hub.pages.heat_map import heat_map
from manyheads_hub.pages.overlap import build_overlap, claims_on
from manyheads_hub.pages.plots import band_axis, band_extent, band_row
from manyheads_hub.pages.render import STATIC_TYPES, PagesDep, static_file
from manyheads_hub.paging import ITEMS_A_PAGE, PageNumber, cut
from manyheads_hub.primaries import service as primaries
from manyheads_hub.submissions import service as submissions
from manyheads_shared.api import CatalogueEntry, EvaluationInfo, SourceInfo
from manyheads_shared.calibration import Band
from manyheads_shared.digest import parse_digest
from manyheads_shared.errors import ManifestError
from manyheads_shared.manifest import Generator

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}  # of what is named by its content

router = APIRouter(include_in_schema=False)

HEADS_A_PAGE = 25  # of the catalogue, with a picture of every head on every source
RECALL_FLOORS = (0.5, 0.8, 0.9, 0.95)  # to choose from
COLUMNS_SHOWN = 40  # of a picture: the own generators of a page's heads, and fifteen sources more
TITLES_SHOWN = 12  # of a bundle's heads in the list of bundles
CLAIMS_SHOWN = 50  # of the other heads that say yes to a generator's images, those that do most often


@dataclass(frozen=True)
class Listed:
    """A catalogued head with the source it errs on most."""

    entry: CatalogueEntry
    worst: SourceInfo | None


@dataclass(frozen=True)
class DrawnBand:
    """One question of a bundle with its thresholds."""

    generator: Generator | None  # None: the detector's
    band: Band
    plot: Markup


@router.get("/")
def show_catalogue(pages: PagesDep, session: SessionDep, search: SearchDep, number: PageNumber = 1) -> HTMLResponse:
    """The catalogue, or what is looked for in it."""
    listed, unlisted = search.among(*LISTED.states), search.among(*UNLISTED.states)
    total = catalogue.count_entries(session, listed)
    page = cut(partial(catalogue.list_entries, session, listed), total, number, HEADS_A_PAGE)
    newest = bundles.latest_sequence(session)
    whole = build_overlap(page.items)
    overlap = whole.strongest(COLUMNS_SHOWN)
    title = f"How often each of {len(page.items)} heads says yes on each of {len(overlap.sources)} sources of the suite"
    return pages.render(
        "catalogue.html",
        section="Catalogue",
        primary=primaries.get_current(session),
        bundle=bundles.get_info(session, newest) if newest else None,
        search=search,
        recall_floors=RECALL_FLOORS,
        page=page,
        total=total,
        listed=[Listed(entry, worst_source(entry.evaluation, entry.generator, external=False)) for entry in page.items],
        unlisted=catalogue.list_entries(session, unlisted, ITEMS_A_PAGE),
        unlisted_count=catalogue.count_entries(session, unlisted),
        overlap=overlap,
        sources_left_out=len(whole.sources) - len(overlap.sources),
        picture=heat_map(overlap, title=title, name="overlap-picture"),
    )


@router.get("/heads/{name}/{version}")
def show_head(pages: PagesDep, hub: HubDep, session: SessionDep, name: str, version: str) -> HTMLResponse:
    """A head card."""
    entry = catalogue.get_entry(session, name, version)
    whole = build_overlap([entry])
    alone = whole.strongest(COLUMNS_SHOWN)
    title = f"How often {entry.generator.title} says yes on each of {len(alone.sources)} sources of the suite"
    claims = claims_on(entry.generator, catalogue.list_measured_on(session, name, version))
    return pages.render(
        "head.html",
        section="Catalogue",
        entry=entry,
        overlap=alone,
        picture=heat_map(alone, title=title, name="row-picture"),
        sources_left_out=len(whole.sources) - len(alone.sources),
        claims=claims[:CLAIMS_SHOWN],
        claims_count=len(claims),
        pictures=catalogue.list_pictures(session, entry.head),
        owner_key=queries.owner_key(session, entry.head),
        bundle_sequence=queries.first_bundle(session, entry.head),
        limits=words.limits(entry.evaluation, entry.generator),
        **_false_positives(hub, entry.evaluation, entry.generator),
    )


@router.get("/pictures/{name}.png")
def send_picture(session: SessionDep, blobs: BlobsDep, name: str) -> Response:
    """A picture of a catalogued head, and no other blob."""
    try:
        digest = parse_digest(f"sha256:{name}")
    except ManifestError as error:
        raise NotFoundError(f"no picture {name[:80]!r}") from error
    if not queries.is_picture(session, digest):
        raise NotFoundError(f"no catalogued head has a picture {digest}")
    return Response(blobs.read(digest), media_type="image/png", headers=FOR_EVER)


@router.get("/submissions")
def list_submissions(pages: PagesDep, session: SessionDep, number: PageNumber = 1) -> HTMLResponse:
    """Every submission, newest first."""
    page = cut(partial(submissions.list_all, session), submissions.count_all(session), number)
    return pages.render("submissions.html", section="Submissions", page=page)


@router.get("/submissions/{submission_id}")
def show_submission(pages: PagesDep, session: SessionDep, submission_id: str) -> HTMLResponse:
    """One submission: its state and the hub's reasons, without figures (decision 0008)."""
    submission = submissions.get(session, submission_id)
    return pages.render("submission.html", section="Submissions", submission=submission)


@router.get("/bundles")
def list_bundles(pages: PagesDep, session: SessionDep, number: PageNumber = 1) -> HTMLResponse:
    """Every published bundle, newest first."""
    return pages.render(
        "bundles.html",
        section="Bundles",
        page=cut(partial(bundles.list_bundles, session), bundles.count_bundles(session), number),
        titles_shown=TITLES_SHOWN,
        newest=bundles.latest_sequence(session),
        primaries=queries.primary_titles(session),
    )


@router.get("/bundles/{sequence:int}")
def show_bundle(pages: PagesDep, session: SessionDep, blobs: BlobsDep, sequence: int, number: PageNumber = 1) -> HTMLResponse:
    """One bundle: its heads, thresholds, promises and objects."""
    info, manifest, calibration = bundles.get_bundle(session, blobs, sequence)
    page = cut(lambda limit, offset: manifest.heads[offset : offset + limit], len(manifest.heads), number)
    extent = band_extent([calibration.detector, *calibration.heads.values()])
    questions = [(None, calibration.detector), *((head.generator, calibration.heads[head.head]) for head in page.items)]
    return pages.render(
        "bundle.html",
        section="Bundles",
        bundle=info,
        manifest=manifest,
        page=page,
        left_out_shown=ITEMS_A_PAGE,
        newest=bundles.get_latest(session).sequence,
        primaries=queries.primary_titles(session),
        bands=[DrawnBand(generator, band, band_row(band, extent)) for generator, band in questions],
        band_axis=band_axis(extent),
        budgets=words.budgets(calibration),
    )


@router.get("/static/{name}")
def send_static(name: str) -> Response:
    """The style sheet and the mark. Pages name them with a version, so they may be kept for ever."""
    if name not in STATIC_TYPES:
        raise NotFoundError(f"no file {name[:80]!r}")
    return Response(static_file(name), headers=FOR_EVER | {"Content-Type": STATIC_TYPES[name]})


def _false_positives(hub: Hub, evaluation: EvaluationInfo, generator: Generator) -> dict[str, Any]:
    """What the table of false positives shows."""
    return {
        "sections": list_sections(evaluation, generator, read_policy(hub.settings.policy)),
        "worst": worst_source(evaluation, generator, external=False),
        "worst_external": worst_source(evaluation, generator, external=True),
    }
