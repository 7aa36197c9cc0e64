"""Every hostile image, decoded in one process of little memory: what must come out comes out, everything else is refused."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from manyheads_shared.image import decode_image
from manyheads_shared.parts import MAX_SCANS
from tests.fuzz.targets import check_line
from tests.support import ordeal
from tests.support.hostile import Case, cases, picture, truncations
from tests.support.image_files import encode, repeat_scan

MEMORY_GB = 1.5  # of address space: decoder, interpreter and corpus; the bombs ask for 17
SECONDS_EACH = 10.0  # on a machine that does other work; the slowest takes one
ROOT = Path(__file__).parent.parent.parent
CASES = {case.name: case for case in cases()}

Told = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def told() -> Told:
    """What became of every file, by name."""
    command = [sys.executable, "-m", "tests.support.ordeal", str(MEMORY_GB)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False, env={**os.environ})
    outcomes = {line["name"]: line for line in ordeal.read(done.stdout)}
    assert done.returncode == 0, f"ended after {[*outcomes][-1:]}: {done.stderr[-2000:]}"
    assert done.stderr == ""
    return outcomes


def test_every_file_of_the_corpus_has_a_name_of_its_own() -> None:
    names = Counter(case.name for case in (*cases(), *truncations()))
    assert names.most_common(1)[0][1] == 1


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_image_is_decoded_rightly_or_refused_in_one_line(told: Told, name: str) -> None:
    case, outcome = CASES[name], told[name]
    assert outcome["outcome"] != "escaped", outcome
    assert outcome["warnings"] == []
    assert outcome["seconds"] < SECONDS_EACH
    if outcome["outcome"] == "refused":
        check_line(outcome["words"])
    _check_expected(case, outcome)


def _check_expected(case: Case, outcome: dict[str, Any]) -> None:
    if case.shows is not None:
        assert outcome["outcome"] == "decoded", outcome
        assert outcome["missed"] is not None, f"expected {case.shows.shape}, got {outcome['shape']}"
        assert outcome["missed"] <= case.distance
    elif case.refused is not None:
        assert outcome["outcome"] == "refused", outcome
        assert case.refused in outcome["words"]


def test_a_file_cut_off_anywhere_is_refused_in_one_line(told: Told) -> None:
    for case in truncations():
        outcome = told[case.name]
        assert outcome["outcome"] == "refused", outcome
        check_line(outcome["words"])


def test_what_decodes_has_as_many_pixels_as_its_header_announced(told: Told) -> None:
    for outcome in told.values():
        if outcome["outcome"] == "decoded":
            height, width, _ = outcome["shape"]
            assert outcome["counted"] == height * width, outcome


def test_a_large_sound_image_does_not_need_more_memory_than_is_budgeted() -> None:
    """A hundred megapixels at 12 bytes, and 0.3 GB for the interpreter and its libraries."""
    script = (
        "import io, resource; from PIL import Image; from manyheads_shared.image import decode_image; s = io.BytesIO();"
        "Image.new('RGB', (10_000, 10_000), (9, 9, 9)).save(s, 'JPEG', progressive=True, exif=bytes.fromhex('"
        "4578696600004949' '2a0008000000010012010300010000000600000000000000'));"
        "resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000,) * 2);"
        "print(decode_image(s.getvalue()).notes)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert "turned upright by EXIF orientation 6" in done.stdout, done.stderr


def test_the_limit_of_scans_leaves_room_for_the_most_thorough_encoders() -> None:
    written = encode(picture(), "JPEG", progressive=True)
    assert 5 * written.count(b"\xff\xda") < MAX_SCANS
    assert decode_image(repeat_scan(written, 60)).file_format == "JPEG"
