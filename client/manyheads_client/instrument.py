"""The instrument block of evidence: an opened bundle on a device, with all that a reader needs who has neither."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from manyheads_client.bundle import Bundle
from manyheads_client.words import LIMITS, decision_rule
from manyheads_shared.calibration import Band, Evidence, head_alpha
from manyheads_shared.clock import read_time
from manyheads_shared.evidence import CalibrationUsed, HeadUsed, Instrument, PrimaryUsed, Standing, UpdateMetadata
from manyheads_shared.image import DECODER
from manyheads_shared.support import find_validated

if TYPE_CHECKING:
    from manyheads_shared.compute import Compute


def describe_instrument(bundle: Bundle, compute: "Compute") -> Instrument:
    """Return the instrument that a bundle is on a device. The same bundle, software and device give the same bytes."""
    from manyheads_shared.compute import software  # noqa: PLC0415 - torch takes seconds to load

    return Instrument.new(
        **describe_bundle(bundle),
        software=software(),
        decoder=DECODER,
        device=compute.device_name,
        executor="heads folded",
        precision=compute.precision,
    )


def describe_bundle(bundle: Bundle) -> dict[str, Any]:
    """Return the fields of an instrument that follow from its bundle, wherever it runs."""
    verified = bundle.verified
    manifest, primary, calibration = verified.manifest, verified.primary, verified.calibration
    heads = tuple(
        HeadUsed(
            generator=head.entry.generator,
            head=head.entry.head,
            owner_key=head.entry.owner_key,
            owner_statement=head.entry.owner_statement,
            hub_statement=head.entry.hub_statement,
            recall=head.hub.predicate.recall,
            worst=max(head.hub.predicate.false_positives, key=lambda source: source.yes.upper, default=None),
            auroc=head.hub.predicate.auroc,
            standing=_standing(band, worth),
        )
        for head, band, worth in zip(verified.heads, bundle.head_bands, bundle.heads_evidence, strict=True)
    )
    return {
        "hub": manifest.hub,
        "bundle": verified.digest,
        "bundle_sequence": manifest.sequence,
        "bundle_created": manifest.created,
        "metadata": bundle.metadata,
        "primary": PrimaryUsed(
            digest=primary.digest,
            name=primary.manifest.name,
            version=primary.manifest.version,
            architecture=primary.manifest.architecture,
            image_size=primary.manifest.preprocessing.image_size,
        ),
        "calibration": CalibrationUsed(
            digest=manifest.calibration,
            suite=calibration.suite,
            detector_alpha=calibration.detector_alpha,
            heads_alpha=calibration.heads_alpha,
            miss_alpha=calibration.miss_alpha,
            sides=bundle.sides,
            usual=bundle.usual,
        ),
        "detector": _standing(bundle.detector_band, bundle.detector_evidence),
        "heads": heads,
        "left_out": manifest.left_out,
        "rule": decision_rule(calibration),
        "limits": LIMITS,
        "warnings": tuple(warn_of_thresholds(bundle)),
    }


def warn_of(bundle: Bundle, moment: datetime | None = None) -> tuple[str, ...]:
    """Say what weakens a bundle as an instrument at `moment` (now)."""
    return (*warn_of_age(bundle.metadata, moment), *warn_of_thresholds(bundle))


def warn_of_thresholds(bundle: Bundle) -> Iterator[str]:
    """Say which thresholds rest on too few images for their error rate."""
    calibration = bundle.verified.calibration
    each = head_alpha(calibration.heads_alpha, len(calibration.heads))
    bands = [("the detector", bundle.detector_band, calibration.detector_alpha)]
    bands += [(title, band, each) for title, band in zip(bundle.generators, bundle.head_bands, strict=True)]
    for name, band, alpha in bands:
        if not band.resolved:
            yield (
                f"The threshold of {name} rests on {band.negatives} images, of some origin too few for its error rate of "
                f"{100 * alpha:.2g} %."
            )


def warn_of_age(metadata: UpdateMetadata | None, moment: datetime | None = None) -> tuple[str, ...]:
    """Say what the age of the update metadata leaves open at `moment` (now), such as when a record was made."""
    if metadata is None:
        return ("The bundle was opened without update metadata: whether it was its hub's newest is not known.",)
    moment = moment or datetime.now(UTC)
    expired = {role: expiry for role, expiry in metadata.expires.items() if moment >= read_time(expiry)}
    if not expired:
        return ()
    since, roles = min(expired.values()), ", ".join(expired)
    days = (moment - read_time(since)).days
    expired_on = f"expired on {since}, {days} days before"
    return (f"The bundle's update metadata ({roles}) {expired_on}: the hub may have published a newer one since.",)


def _standing(band: Band, evidence: Evidence | None) -> Standing:
    return Standing(band=band, cap=evidence.likelihood.cap if evidence else None, validated=find_validated(evidence))
