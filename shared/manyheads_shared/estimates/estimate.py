"""One image to its condition. What is measured, and how, is for the estimators beside this module."""

from manyheads_shared.condition import Condition
from manyheads_shared.estimates.blur import estimate_blur
from manyheads_shared.estimates.noise import estimate_noise
from manyheads_shared.estimates.quantisation import nearest_quality
from manyheads_shared.estimates.sampling import take_blocks, take_centre, take_lines
from manyheads_shared.estimates.scale import estimate_scale
from manyheads_shared.estimates.traces import find_quality
from manyheads_shared.image import DecodedImage


def estimate_condition(decoded: DecodedImage) -> Condition:
    """Estimate what an image has been through.

    It is looked at in its own size, at most a megapixel of its centre: making it smaller would destroy what is measured.
    A crop leaves nothing to measure. What does not show is neutral: no quality, no blur, no noise, the whole band.

    Args:
        decoded: of any size from 16x16 on; quantisation tables are believed, so a picture that was changed must have none.
    """
    centre = take_centre(decoded.pixels)
    blocks, lines = take_blocks(centre), take_lines(centre)
    stated = nearest_quality(decoded.quantisation[0]) if decoded.quantisation else None
    found = find_quality(blocks) if stated is None else None
    height, width = decoded.pixels.shape[:2]
    return Condition(
        width=width,
        height=height,
        jpeg_quality=stated if stated is not None else found,
        jpeg_from="tables" if stated is not None else "traces" if found is not None else None,
        blur=_round(estimate_blur(lines)),
        noise=_round(estimate_noise(blocks)),
        scale=_round(estimate_scale(lines)),
    )


def _round(value: float) -> float:
    """To two digits, none beyond the hundredth: an estimate is no better, and the last bits of a float differ by machine."""
    return float(f"{round(value, 2):.2g}")
