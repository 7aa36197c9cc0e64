"""An image as the networks see it, and its condition there: the hub climbed its ladders on such pictures."""

from dataclasses import replace

from manyheads_client.conditions import estimate_condition
from manyheads_shared.condition import Condition
from manyheads_shared.image import DecodedImage, Pixels
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import fit_image, is_resampled


def see(decoded: DecodedImage, spec: Preprocessing) -> tuple[Pixels, Condition]:
    """Fit an image for the networks, and estimate its condition; quantisation tables count only where nothing was resampled.

    Returns:
        uint8 (S, S, 3), RGB, or of the image's own size where the primary takes any; and the condition of that picture.

    Raises:
        ImageError: it cannot be fitted.
    """
    height, width = decoded.pixels.shape[:2]
    fitted = fit_image(decoded.pixels, spec)
    tables = () if is_resampled(width, height, spec) else decoded.quantisation
    return fitted, estimate_condition(replace(decoded, pixels=fitted, quantisation=tables))
