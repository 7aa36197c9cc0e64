"""`python -m tests.support.ordeal GIGABYTES`: decode every hostile image within so much memory, and tell what became of it.

One JSON object a line, as they come: whoever waits sees at which file a crash or a hang came.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from manyheads_shared.errors import ImageError
from manyheads_shared.image import count_pixels, decode_image
from tests.support.hostile import Case, cases, truncations


def main() -> None:
    """Decode, and tell."""
    limit = int(float(sys.argv[1]) * (1 << 30))
    corpus = [*cases(), *truncations()]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for case in corpus:
            heard.clear()
            began = time.perf_counter()
            told = _decode(case) | {"counted": _count(case)}
            seconds = time.perf_counter() - began
            told |= {"name": case.name, "seconds": seconds, "warnings": [str(warning.message) for warning in heard]}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


def _decode(case: Case) -> dict[str, Any]:
    try:
        pixels = decode_image(case.data).pixels
    except ImageError as error:
        return {"outcome": "refused", "words": str(error)}
    except BaseException as error:
        return {"outcome": "escaped", "words": repr(error)}
    missed = None
    if case.shows is not None and pixels.shape == case.shows.shape:
        missed = float(np.abs(pixels.astype(np.int16) - case.shows).mean())
    return {"outcome": "decoded", "shape": pixels.shape, "missed": missed}


def _count(case: Case) -> str | int:
    try:
        return count_pixels(case.data)
    except ImageError as error:
        return str(error)


def read(lines: str) -> Iterator[dict[str, Any]]:
    """Read what the process told."""
    return (json.loads(line) for line in lines.splitlines())


if __name__ == "__main__":
    main()
