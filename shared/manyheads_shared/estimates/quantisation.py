"""Quality of a JPEG file from the quantisation tables in it."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

_LUMINANCE = (  # ITU-T T.81, table K.1
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


@cache
def luminance_tables() -> NDArray[np.int64]:
    """The standard luminance table as the Independent JPEG Group scales it: int64 (100, 64), qualities 1 to 100, row by row."""
    qualities = np.arange(1, 101)[:, np.newaxis]
    percent = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables: NDArray[np.int64] = np.clip((np.array(_LUMINANCE).reshape(1, 64) * percent + 50) // 100, 1, 255)
    tables.flags.writeable = False
    return tables


def nearest_quality(table: Sequence[int]) -> int:
    """Return the quality whose standard table is nearest: the least mean of |log(step / its step)|, and of several the lowest.

    Exact for standard tables. The first table of a file is its luminance, or what comes nearest to one in grey or CMYK.

    Args:
        table: 64 steps, row by row.
    """
    logs = np.log(np.maximum(np.asarray(table, dtype=np.float64), 1))
    distances = np.abs(np.log(luminance_tables()) - logs).mean(axis=1)
    return int(distances.argmin()) + 1
