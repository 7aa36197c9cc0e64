"""The drawn figures: every number where it belongs, and legible on what lies behind it."""

import re
import xml.etree.ElementTree as ET
from importlib import resources
from itertools import pairwise

import pytest

from manyheads_hub.pages.heat_map import HEAT_EDGES, heat_class, heat_legend, heat_map
from manyheads_hub.pages.overlap import build_overlap
from manyheads_hub.pages.plots import band_axis, band_extent, band_row, interval_row, share_axis
from manyheads_shared.api import CatalogueEntry
from manyheads_shared.calibration import Band
from tests.support.gallery import PRIMARY, head_digest, make_evaluation, make_generator, share

WCAG_AA = 4.5


def make_entry(name: str, recall: int = 38, claims: dict[str, int] | None = None) -> CatalogueEntry:
    return CatalogueEntry(
        generator=make_generator(name),
        head=head_digest(name),
        primary=PRIMARY,
        state="listed",
        reason=None,
        owner_statement=head_digest(name, "owner"),
        hub_statement=head_digest(name, "hub"),
        evaluation=make_evaluation(name, recall=recall, claims=claims),
        accepted="2026-01-02T08:10:00Z",
    )


def make_band(low: float, high: float) -> Band:
    return Band(low=low, high=high, negatives=1000, positives=40, resolved=True)


def test_the_heat_map_writes_every_share_into_its_cell() -> None:
    overlap = build_overlap([make_entry("dcgan-litalien", 31, {"wgan-litalien": 3}), make_entry("wgan-litalien", 34)])
    root = ET.fromstring(heat_map(overlap, title="Overlap", name="picture"))
    cells = {group.findtext("title", ""): group.findtext("text") for group in root.iter("g")}
    assert len(cells) == 2 * len(overlap.sources)
    assert cells["dcgan-litalien@1 on wgan-litalien: yes 3 of 40 times, 7.5\u202f% (1.6 to 20.4\u202f%)"] == "7.5"
    assert any("on images of its own generator: yes 31 of 40" in title for title in cells)


def test_the_heat_map_frames_own_generators_on_the_diagonal() -> None:
    overlap = build_overlap([make_entry("began-hee9joon"), make_entry("dcgan-litalien"), make_entry("wgan-litalien")])
    root = ET.fromstring(heat_map(overlap, title="Overlap", name="picture"))
    frames = [rect for rect in root.iter("rect") if rect.get("class") == "own"]
    steps = [(float(frame.get("x", "")), float(frame.get("y", ""))) for frame in frames]
    assert len(steps) == 3
    assert [b[0] - a[0] for a, b in pairwise(steps)] == pytest.approx([50, 50])
    assert [b[1] - a[1] for a, b in pairwise(steps)] == pytest.approx([30, 30])


def test_the_heat_map_escapes_names_and_titles() -> None:
    overlap = build_overlap([make_entry("dcgan-litalien")])
    assert "<b>" not in heat_map(overlap, title='a "<b>" & c', name="picture")


def test_a_long_name_keeps_its_end() -> None:
    entry = make_entry("dcgan-litalien")
    generator = entry.generator.model_copy(update={"name": "dcgan-" + 50 * "x", "version": "7"})
    drawn = heat_map(build_overlap([entry.model_copy(update={"generator": generator})]), title="Overlap", name="picture")
    assert "dcgan-xxxxxxx…xxxxxxxxxx@7<" in drawn


def test_the_classes_of_the_heat_map_rise_with_the_share() -> None:
    assert [heat_class(edge) for edge in HEAT_EDGES] == list(range(8))
    assert heat_class(0.003) == 1
    assert [label for _, label in heat_legend()][:3] == ["0", "0 to 1", "1 to 2"]


def test_an_interval_is_drawn_where_its_axis_says() -> None:
    row = ET.fromstring(interval_row(share(10, 40), limit=0.01))
    axis = ET.fromstring(share_axis())
    ticks = {text.text: text.get("x") for text in axis.iter("text")}
    drawn = {line.get("class"): line for line in row.iter("line")}
    dot = row.find("circle")
    assert dot is not None
    assert dot.get("cx") == ticks["25"]
    assert drawn["limit"].get("x1") == ticks["1"]
    assert float(drawn["range"].get("x1", "")[:-1]) < float(ticks["25"][:-1] if ticks["25"] else "") < 100


def test_a_band_is_open_between_its_edges_and_stays_in_the_picture() -> None:
    bands = [make_band(-3.2, 0.4), make_band(1.0, 7.5)]
    extent = band_extent(bands)
    assert extent == (-5, 9)
    for band in bands:
        rect = ET.fromstring(band_row(band, extent)).find("rect")
        assert rect is not None
        start, width = (float(rect.get(name, "").rstrip("%")) for name in ("x", "width"))
        assert start == pytest.approx(100 * (band.low + 5) / 14, abs=0.01)
        assert start + width == pytest.approx(100 * (band.high + 5) / 14, abs=0.02)


@pytest.mark.parametrize("edges", [(0.0, 0.0), (-900.0, 1200.0), (5.0, 5.0)])
def test_a_band_axis_has_few_ticks_with_zero_among_them(edges: tuple[float, float]) -> None:
    labels = [text.text for text in ET.fromstring(band_axis(band_extent([make_band(*edges)]))).iter("text")]
    assert "0" in labels
    assert 2 <= len(labels) <= 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_and_words_are_legible_in_both_schemes(scheme: str) -> None:
    colours = _colours(scheme)
    for step in range(8):
        written = colours["on-pale" if step < 5 else "on-dark"]
        assert _contrast(written, colours[f"heat-{step}"]) >= WCAG_AA
    for role in ("ink", "muted", "accent", "good", "warn", "bad"):
        assert _contrast(colours[role], colours["paper"]) >= WCAG_AA
        assert _contrast(colours[role], colours["sunk"]) >= WCAG_AA


def _colours(scheme: str) -> dict[str, str]:
    css = resources.files("manyheads_hub.pages").joinpath("static/manyheads.css").read_text()
    light, _, dark = css.partition("prefers-color-scheme: dark")
    block = light if scheme == "light" else dark.partition("}")[0]
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
