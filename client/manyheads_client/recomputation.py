"""What a verified bundle says of an instrument and its records: whether it is that bundle, and every figure computed again.

Pure but for the bundle, which whoever opened it verified from the root down. Logits are not computed again: `replay` does that.
"""

from collections.abc import Iterator

from manyheads_client.bundle import Bundle
from manyheads_client.instrument import describe_bundle
from manyheads_client.judgement import build_result, fits_sides
from manyheads_shared import __version__
from manyheads_shared.evidence import Examined, Instrument

_OF_THE_MOMENT = ("metadata",)  # a hub signs it again and again for one bundle
_WORDED = ("rule", "limits", "warnings")  # by the software; another version may word them otherwise


def check_instrument(instrument: Instrument, bundle: Bundle) -> Iterator[str]:
    """Say where an instrument is not what its bundle makes it: heads, bands, caps, validity, the hub's figures."""
    same_words = instrument.software.startswith(f"manyheads {__version__},")
    described = describe_bundle(bundle)
    if instrument.carried_heads and "carried" not in described:
        yield "instrument: it names heads of earlier primaries; the bundle has none"
    for field, expected in described.items():
        if field in _OF_THE_MOMENT or (field in _WORDED and not same_words):
            continue
        if getattr(instrument, field, None) != expected:
            yield f"instrument: `{field}` is not that of the bundle"


def check_results(entry: Examined, bundle: Bundle) -> Iterator[str]:
    """Say where the ratios, intervals, validity or figures of a record are not those of the bundle's calibration."""
    record = entry.record
    fits = fits_sides(record.item, bundle.sides)
    networks = zip(
        ("the detector", *bundle.generators),
        (record.detector, *record.heads),
        (bundle.detector_band, *bundle.head_bands),
        (bundle.detector_evidence, *bundle.heads_evidence),
        strict=True,
    )
    for name, result, band, evidence in networks:
        expected = build_result(result.logit, band, evidence, record.strata, fits=fits)
        wrong = [field for field in type(result).model_fields if getattr(result, field) != getattr(expected, field)]
        if wrong:
            yield f"{name}: {', '.join(wrong)} not as the bundle's calibration gives for logit {result.logit:g}"
