"""Many measurements of one thing to the few figures that are kept."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least such a share of the values do not exceed; of few, 0.99 is the largest."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, and what the repetitions lie between."""
    return {"median": round(median(values), 3), "least": round(min(values), 3), "most": round(max(values), 3)}


def p50_p99(values: Sequence[float]) -> dict[str, float]:
    """Return the two percentiles that are reported of seconds."""
    return {"p50": round(percentile(values, 0.5), 3), "p99": round(percentile(values, 0.99), 3)} if values else {}


def outcome(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum up what parallel clients met; every error is counted and told."""
    errors = [result["error"] for result in results if result["error"]]
    return {
        "clients": len(results),
        "errors": len(errors),
        "error_texts": sorted(set(errors))[:5],
        "seconds": p50_p99([result["seconds"] for result in results if not result["error"]]),
    }
