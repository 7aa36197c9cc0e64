"""The instrument block of evidence: an opened bundle on a device, with all that a reader needs who has neither."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from manyheads_client.bundle import Bundle
from manyheads_client.words import LIMITS, decision_rule, way_in_words
from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.bundle import CarryingManifest
from manyheads_shared.calibration import Band, Evidence, head_alpha
from manyheads_shared.clock import read_time
from manyheads_shared.evidence import (
    CalibrationUsed,
    CarriedUsed,
    CarryingInstrument,
    HeadUsed,
    Instrument,
    PrimaryUsed,
    Standing,
    UpdateMetadata,
)
from manyheads_shared.image import DECODER
from manyheads_shared.passage import Way
from manyheads_shared.support import find_validated

NAMED = 12  # heads in one warning; the instrument has all of them

if TYPE_CHECKING:
    from manyheads_shared.compute import Compute


def describe_instrument(bundle: Bundle, compute: "Compute") -> Instrument:
    """Return the instrument that a bundle is on a device. The same bundle, software and device give the same bytes."""
    from manyheads_shared.compute import software  # noqa: PLC0415 - torch takes seconds to load

    described = describe_bundle(bundle)
    kind = CarryingInstrument if "carried" in described else Instrument
    return kind.new(
        **described,
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
        "primary": _primary_used(primary),
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
        "warnings": (*warn_of_thresholds(bundle), *warn_of_carried(bundle)),
        **_describe_carried(bundle),
    }


def _describe_carried(bundle: Bundle) -> dict[str, Any]:
    """What version 2 has beyond version 1; nothing where no head is carried over."""
    manifest, heads = bundle.verified.manifest, {head.entry.head: head for head in bundle.verified.heads}
    if not isinstance(manifest, CarryingManifest):
        return {}
    carried = []
    for entry in manifest.carried:
        passage, retention = heads[entry.head].passage, heads[entry.head].retention
        assert passage is not None  # `verify_bundle` saw to both
        assert retention is not None
        measured = next(each for each in retention.ways if each.way == entry.way)
        carried.append(
            CarriedUsed(
                head=entry.head,
                primary=_primary_used(passage.earlier),
                way=entry.way,
                until=entry.until,
                recall=measured.figures.recall,
                auroc=measured.figures.auroc,
                loss=measured.loss,
            )
        )
    return {"retention": manifest.retention, "carried": tuple(carried)}


def _primary_used(primary: PrimaryArtifact) -> PrimaryUsed:
    manifest = primary.manifest
    return PrimaryUsed(
        digest=primary.digest,
        name=manifest.name,
        version=manifest.version,
        architecture=manifest.architecture,
        image_size=manifest.preprocessing.image_size,
    )


def warn_of(bundle: Bundle, moment: datetime | None = None) -> tuple[str, ...]:
    """Say what weakens a bundle as an instrument at `moment` (now)."""
    return (*warn_of_age(bundle.metadata, moment), *warn_of_thresholds(bundle), *warn_of_carried(bundle))


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


def warn_of_carried(bundle: Bundle) -> Iterator[str]:
    """Say which heads were made for another primary, and how they are run."""
    by_way: dict[Way, list[str]] = {}
    for head in bundle.verified.heads:
        if head.passage:
            by_way.setdefault(head.passage.way, []).append(head.entry.generator.title)
    for way, titles in sorted(by_way.items()):
        more = f" and {len(titles) - NAMED} more" if len(titles) > NAMED else ""
        yield f"Made for an earlier primary: {', '.join(titles[:NAMED])}{more}; run {way_in_words(way)}."


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
