"""The local page's endpoints: small JSON for programs, parts of the page for its script, pictures. Who may ask is for `door`.

An uploaded file is the body of its request: nothing is spooled to disk, and no more is read than an image may have.
"""

from importlib.resources import files
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel

from manyheads_client.examine.changes import RANGES, Change
from manyheads_client.examine.drawing import encode_png, encode_thumbnail
from manyheads_client.examine.page import MAX_WHOLE_PIXELS, Page
from manyheads_client.examine.session import Held, Session
from manyheads_client.pages import build_environment
from manyheads_shared.decision import State
from manyheads_shared.errors import ImageError, ManyheadsError
from manyheads_shared.evidence import Examined
from manyheads_shared.image import MAX_FILE_BYTES
from manyheads_shared.overlay import draw_map

MAX_NAME = 255  # characters, as long as file systems allow
MAX_SCALE = 1e6  # logits; scores of sound networks lie far within

router = APIRouter(default_response_class=HTMLResponse)


class Problem(BaseModel):
    """Why a request was not carried out, in one line."""

    error: str  # class name
    reason: str


class ImageInfo(BaseModel):
    """One image in few words; everything is in its record."""

    number: int
    name: str
    state: State | None  # None: it could not be examined
    claimed_by: tuple[str, ...]
    explanation: str  # of a failure: the reason


class ScaleInfo(BaseModel):
    """The colour scale of the sitting."""

    logits: float | None  # at its ends; None: no image yet


def create_app(session: Session) -> FastAPI:
    """Build the application of one sitting."""
    app = FastAPI(title="manyheads examine", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.session, app.state.page = session, Page(session)
    app.include_router(router)
    app.add_exception_handler(ManyheadsError, _complain)
    app.add_exception_handler(RequestValidationError, _complain_of_values)
    return app


def _session(request: Request) -> Session:
    session: Session = request.app.state.session
    return session


def _page(request: Request) -> Page:
    page: Page = request.app.state.page
    return page


SessionDep = Annotated[Session, Depends(_session)]
PageDep = Annotated[Page, Depends(_page)]


def _held(number: int, session: SessionDep) -> Held:
    held = session.find(number)
    if held is None or not isinstance(held.entry, Examined):
        raise HTTPException(404, f"no image {number} in this sitting")
    return held


def _strength(name: Literal["crop", "scale", "blur", "noise", "jpeg"]) -> object:
    return Query(ge=RANGES[name].least, le=RANGES[name].most, allow_inf_nan=False)


def _change(
    crop: Annotated[float, _strength("crop")] = RANGES["crop"].unchanged,
    scale: Annotated[float, _strength("scale")] = RANGES["scale"].unchanged,
    blur: Annotated[float, _strength("blur")] = RANGES["blur"].unchanged,
    noise: Annotated[float, _strength("noise")] = RANGES["noise"].unchanged,
    jpeg: Annotated[float, _strength("jpeg")] = RANGES["jpeg"].unchanged,
) -> Change:
    return Change(crop, scale, blur, noise, jpeg)


ChangeDep = Annotated[Change, Depends(_change)]


@router.get("/")
def get_page(page: PageDep) -> str:
    """The page."""
    return page.render()


@router.get("/{name}.css")
def get_style(name: Literal["examine", "figures"]) -> Response:
    """A stylesheet: the page's own, or the one that it shares with the report."""
    text = build_environment().get_template("figures.css").render() if name == "figures" else _read_static("examine.css")
    return Response(text, media_type="text/css")


@router.get("/{name}.js")
def get_script(name: Literal["examine", "viewer"]) -> Response:
    """A module of the page's script."""
    return Response(_read_static(f"{name}.js"), media_type="text/javascript")


@router.get("/icon.svg")
def get_icon() -> Response:
    """The page's icon."""
    return Response(_read_static("icon.svg"), media_type="image/svg+xml")


@router.get("/images", response_class=JSONResponse)
def list_images(session: SessionDep) -> list[ImageInfo]:
    """Every image of the sitting."""
    return [_describe(held) for held in session.held]


@router.post("/images", response_class=JSONResponse, status_code=201)
async def examine_image(
    request: Request, session: SessionDep, name: Annotated[str, Query(min_length=1, max_length=MAX_NAME)]
) -> ImageInfo:
    """Examine the image in the body. One that cannot be examined is kept as a failure, with its reason."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_FILE_BYTES:  # one byte over is enough for the decoder to refuse it
            break
    return _describe(await run_in_threadpool(session.examine, name, bytes(data)))


@router.delete("/images/{number}", status_code=204)
def remove_image(number: int, session: SessionDep) -> None:
    """Forget an image."""
    session.remove(number)


@router.get("/list")
def get_list(page: PageDep) -> str:
    """The list of images, as a part of the page."""
    return page.render_list()


@router.get("/images/{number}")
def get_image(held: Annotated[Held, Depends(_held)], page: PageDep) -> str:
    """One image in full, as a part of the page."""
    return page.render_image(held)


@router.get("/images/{number}/retry")
def retry(held: Annotated[Held, Depends(_held)], change: ChangeDep, page: PageDep) -> str:
    """What became of the verdict on a changed copy, as a part of the page."""
    return page.render_retry(held, change)


@router.get("/images/{number}/beside/{other}")
def compare(held: Annotated[Held, Depends(_held)], other: int, session: SessionDep, page: PageDep) -> str:
    """Two images beside each other, as a part of the page."""
    return page.render_comparison(held, _held(other, session))


@router.get("/images/{number}/record", response_class=JSONResponse)
def get_record(held: Annotated[Held, Depends(_held)], change: ChangeDep, session: SessionDep) -> Response:
    """The evidence record of an image, or what it would be of a changed copy."""
    return Response(session.view(held, change).record.to_bytes(), media_type="application/json")


@router.get("/images/{number}/picture.png")
def get_picture(
    held: Annotated[Held, Depends(_held)], change: ChangeDep, session: SessionDep, *, whole: bool = False, small: bool = False
) -> Response:
    """The picture as the networks saw it; `whole`: all of the file's; `small`: for a list."""
    pixels = session.decode(held, change) if whole else session.view(held, change).pixels
    if pixels.shape[0] * pixels.shape[1] > MAX_WHOLE_PIXELS:
        raise ImageError(f"expected at most {MAX_WHOLE_PIXELS} pixels to show, got {pixels.shape[1]}x{pixels.shape[0]}")
    return _png(encode_thumbnail(pixels) if small else encode_png(pixels))


@router.get("/images/{number}/saliency/{column}.png")
def get_saliency(held: Annotated[Held, Depends(_held)], column: int, change: ChangeDep, session: SessionDep) -> Response:
    """Where one network's score comes from, in the colours of the sitting's scale; column 0 is the detector."""
    view = session.view(held, change)
    if view.saliency is None or session.scale is None or not 0 <= column < len(view.saliency):
        raise HTTPException(404, f"no saliency {column} of this image")
    return _png(encode_png(draw_map(view.saliency[column], view.pixels.shape, scale=session.scale)))


@router.put("/scale", response_class=JSONResponse)
def fix_scale(
    session: SessionDep, logits: Annotated[float | None, Query(gt=0, le=1e6, allow_inf_nan=False)] = None
) -> ScaleInfo:
    """Set the colour scale; without a figure to what the images of the sitting show."""
    session.fix_scale(logits)
    return ScaleInfo(logits=session.scale)


@router.get("/records.jsonl")
def export_records(session: SessionDep) -> Response:
    """The sitting as a record file."""
    return _attachment(session.export_records(), "application/jsonl", "examined.jsonl")


@router.get("/report.html")
def export_report(session: SessionDep) -> Response:
    """The sitting as a report."""
    return _attachment(session.export_report().encode(), "text/html; charset=utf-8", "examined.html")


def _describe(held: Held) -> ImageInfo:
    entry = held.entry
    if isinstance(entry, Examined):
        record = entry.record
        return ImageInfo(
            number=held.number,
            name=held.name,
            state=record.state,
            claimed_by=record.claimed_by,
            explanation=record.explanation,
        )
    return ImageInfo(number=held.number, name=held.name, state=None, claimed_by=(), explanation=entry.reason)


def _read_static(name: str) -> str:
    return files("manyheads_client.examine").joinpath("static", name).read_text("utf-8")


def _png(data: bytes) -> Response:
    return Response(data, media_type="image/png")


def _attachment(data: bytes, media_type: str, name: str) -> Response:
    return Response(data, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _complain(request: Request, error: Exception) -> JSONResponse:
    status = 422 if isinstance(error, ImageError) else 409
    return JSONResponse(Problem(error=type(error).__name__, reason=str(error)).model_dump(), status_code=status)


def _complain_of_values(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    reason = f"{first['loc'][-1]}: {first['msg']}"
    return JSONResponse(Problem(error="UsageError", reason=reason).model_dump(), status_code=422)
