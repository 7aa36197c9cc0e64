"""What the loop shows of what its commands wrote, also where a network learned nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from deploy.demo.loop import Places
from deploy.demo.partition import Partition
from deploy.demo.results import read_results
from deploy.demo.table import print_results
from manyheads_contributor.duplicates import fingerprint
from manyheads_contributor.evaluate import Evaluation, Scored, evaluate
from manyheads_shared.api import SubmissionInfo
from manyheads_shared.dataset import Item, Kind
from manyheads_shared.digest import Digest, digest_bytes
from tests.support.makers import NO_DIGEST, TIME, make_generator, make_images

SOURCES: tuple[tuple[Kind, str], ...] = (("real", "photos"), ("generated", "alpha"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A loop that ran to its end, whose networks say no to everything."""
    places = Places(Partition(tmp_path, ("alpha",)))
    for path, generator in ((places.detector_figures, None), (places.head_figures("alpha"), "alpha")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_never_yes(generator).to_json()))
    places.audit("alpha").write_text('{"level": "fine"}')
    submission = SubmissionInfo(
        id="a1",
        generator=make_generator(),
        head=NO_DIGEST,
        primary=NO_DIGEST,
        state="failed",
        reasons=[],
        queue_position=None,
        evaluation=None,
        bundle_sequence=None,
        created=TIME,
        updated=TIME,
    )
    places.submission("alpha").write_text(submission.model_dump_json())
    places.records.parent.mkdir()
    places.records.write_bytes(b"")
    return places


def _never_yes(generator: str | None) -> Evaluation:
    items = tuple(
        Item(kind, source, external=False, path=Path(f"{i}.png"), digest=Digest(digest_bytes(f"{source}{i}".encode())))
        for kind, source in SOURCES
        for i in range(4)
    )
    prints = tuple(fingerprint(pixels) for pixels in make_images(len(items)))
    return evaluate(Scored(items, prints, np.full((len(items), 2), -1, dtype=np.float32), ()), generator)


def test_networks_that_never_say_yes_have_no_precision_and_empty_cells(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    results = read_results(places)
    assert results.detector.precision is None
    assert results.detector.f1 is not None
    assert results.detector.f1.value == 0
    print_results(results)
    assert "head alpha 0.0 [0.0," in " ".join(capsys.readouterr().out.split())
    assert results.to_json()["heads"][0]["own"]["precision"] is None
