"""One colour scale for a whole scan: a quantile of values too many to keep, from a histogram."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from manyheads_client.pictures import SCALE_QUANTILE
from manyheads_shared.document import Count, Document
from manyheads_shared.manifest import DigestField

_BINS = 100  # a decade: a bin is 2.3 % wide, and the scale has two digits
_LOW, _HIGH = -12, 12  # decades; beyond them a value counts as the end


class OverlayScale(Document):
    """What the colours of the overlays in a folder mean. Specification: docs/formats/saliency.md."""

    FORMAT: ClassVar[str] = "manyheads.saliency-scale/1"

    scale: float | None  # logits at the ends of the colours; None: nothing was drawn
    given: bool  # by whoever asked; else it is the quantile over the scan, of two digits
    images: Count  # with overlays
    networks: tuple[str, ...]  # of each map in the folder's saliency files
    instruments: tuple[DigestField, ...]


class ScaleFinder:
    """Finds the quantile `SCALE_QUANTILE` of the absolute values of any number of maps, in fixed memory."""

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros((_HIGH - _LOW) * _BINS + 1, dtype=np.int64)

    def add(self, maps: NDArray[np.float32]) -> None:
        """Count values of any shape, in logits."""
        magnitudes = np.maximum(np.abs(maps.ravel().astype(np.float64)), 10.0**_LOW)
        bins = np.floor((np.log10(magnitudes) - _LOW) * _BINS).astype(np.int64)
        self._counts += np.bincount(np.minimum(bins, len(self._counts) - 1), minlength=len(self._counts))

    def find(self) -> float | None:
        """The scale in logits, two digits; None where there are no values but zeros."""
        total: Any = self._counts.sum()
        place = int(np.searchsorted(np.cumsum(self._counts), SCALE_QUANTILE * total))
        if not total or place == 0:
            return None
        return float(f"{10 ** (_LOW + (place + 0.5) / _BINS):.2g}")
