"""Accepted heads and their scores to a bundle: its manifest and its calibration. Pure; signing is for `signing`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from securesystemslib.signer import SSlibKey

from manyheads_hub.bundles.evidence import build_evidence
from manyheads_hub.evaluations.claims import is_of
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Look, Score, Scores, by_source, detector_logits, head_logits
from manyheads_shared.bundle import BundleHead, BundleManifest, Carried, CarryingManifest, LeftOut
from manyheads_shared.calibration import BoundedCalibration, Calibration, Sides, Sources, build_calibration
from manyheads_shared.condition import Condition, find_usual
from manyheads_shared.dataset import Kind
from manyheads_shared.digest import Digest, short
from manyheads_shared.errors import BundleError
from manyheads_shared.keys import public_pem
from manyheads_shared.likelihood import Logits
from manyheads_shared.rungs import Rung


@dataclass(frozen=True)
class BuiltBundle:
    """A bundle, ready to be stored and signed. The manifest names the calibration by digest."""

    manifest: BundleManifest
    calibration: BoundedCalibration


def build_bundle(
    *,
    hub: str,
    sequence: int,
    created: str,
    primary: Digest,
    suite: Digest,
    detector_scores: Scores,
    heads: Iterable[tuple[BundleHead, Scores]],
    looks: Sequence[Look],
    degraded: Mapping[Rung, Mapping[Digest | None, Scores]],
    left_out: Sequence[LeftOut],
    owner_keys: Mapping[str, str],
    hub_key: SSlibKey,
    policy: Policy,
    carried: Sequence[Carried] = (),
    retention: Digest | None = None,
) -> BuiltBundle:
    """Build a bundle.

    Thresholds come from the calibration half of the suite; its external sources take no part. A head's negatives are the
    photographs and every other generator's images, its positives its own generator's.

    Args:
        suite: digest of the suite that all scores were measured on (`measure.measure_catalogue`).
        heads: the listed heads in the order of the bundle, each with its scores; read once.
        looks: of the images behind the scores that are not external; at least one where there are such.
        degraded: scores of part of the suite's test half on every rung, by head; the detector's under None.
        owner_keys: public keys by key id, PEM; those of owners without a head are left away.
        policy: says which shares of false answers the thresholds may allow, as it does at the gate.
        carried: how the heads of earlier primaries are run; without any the manifest is of version 1.
        retention: the signed report that allows it; needed where heads are carried.

    Raises:
        BundleError: scores of another primary, suite or head, or none to calibrate from.
    """
    _verify_scores("the detector's", detector_scores, primary, suite, None)
    entries: list[tuple[BundleHead, Scores]] = []
    bands: dict[Digest, tuple[Sources, Logits]] = {}
    for entry, scores in heads:
        title = entry.generator.title
        _verify_scores(f"{title}'s", scores, primary, suite, entry.head)
        rows = _calibration_rows(scores)
        own = [row for row in rows if row.kind == "generated" and row.source == entry.generator.name]
        foreign = [row for row in rows if not (row.kind == "generated" and row.source == entry.generator.name)]
        bands[entry.head] = _sides(title, by_source(foreign, head_logits), head_logits(own))
        entries.append((entry, scores))
    rows = _calibration_rows(detector_scores)
    bands_alone = build_calibration(
        primary=primary,
        suite=suite,
        detector=_sides(
            "the detector",
            by_source([row for row in rows if row.kind == "real"], detector_logits),
            detector_logits([row for row in rows if row.kind == "generated"]),
        ),
        heads=bands,
        detector_alpha=policy.detector_alpha,
        heads_alpha=policy.heads_alpha,
    )
    calibration = _add_evidence(bands_alone, detector_scores, entries, degraded, policy, looks=looks)
    used = {entry.owner_key for entry, _ in entries}
    kind: type[BundleManifest] = CarryingManifest if carried else BundleManifest
    manifest = kind.new(
        hub=hub,
        sequence=sequence,
        created=created,
        primary=primary,
        calibration=calibration.digest,
        heads=tuple(entry for entry, _ in entries),
        left_out=tuple(left_out),
        owner_keys={key_id: pem for key_id, pem in owner_keys.items() if key_id in used},
        hub_key=public_pem(hub_key),
        **({"carried": tuple(carried), "retention": retention} if carried else {}),
    )
    return BuiltBundle(manifest, calibration)


def _add_evidence(
    bands: Calibration,
    detector_scores: Scores,
    entries: Sequence[tuple[BundleHead, Scores]],
    degraded: Mapping[Rung, Mapping[Digest | None, Scores]],
    policy: Policy,
    *,
    looks: Sequence[Look],
) -> BoundedCalibration:
    """Say beside the bands what the scores are worth, and for what images."""
    shorter_sides = [look.shorter_side for look in looks]  # there are some, now that bands are fitted
    conditions: dict[Kind, list[Condition]] = defaultdict(list)
    for look in looks:
        conditions[look.kind].append(look.condition)

    def of(head: Digest | None) -> dict[Rung, Scores]:
        return {rung: scores[head] for rung, scores in degraded.items()}

    return BoundedCalibration.new(
        **bands.model_dump(exclude={"format"}, round_trip=True),
        sides=Sides(shortest=min(shorter_sides), longest=max(shorter_sides)),
        usual=find_usual(conditions),
        detector_evidence=build_evidence(
            detector_scores,
            of(None),
            is_own=lambda row: row.kind == "generated",
            is_counted=lambda row: row.kind == "real",
            to_logits=detector_logits,
            high=bands.detector.high,
            head_count=1,
            policy=policy,
        ),
        heads_evidence={
            entry.head: build_evidence(
                scores,
                of(Digest(entry.head)),
                is_own=partial(is_of, generator=entry.generator),
                is_counted=lambda _: True,
                to_logits=head_logits,
                high=bands.heads[entry.head].high,
                head_count=len(entries),
                policy=policy,
            )
            for entry, scores in entries
        },
    )


def _verify_scores(whose: str, scores: Scores, primary: Digest, suite: Digest, head: Digest | None) -> None:
    for what, expected, found in (
        ("primary", primary, scores.primary),
        ("suite", suite, scores.suite),
        ("head", head, scores.head),
    ):
        if expected != found:
            raise BundleError(
                f"{whose} scores are of {what} {short(found or 'none')}, expected {short(expected or 'none')}; measure again"
            )


def _calibration_rows(scores: Scores) -> list[Score]:
    return [row for row in scores.rows if row.part == "calibration" and not row.external]


def _sides(name: str, negatives: Sources, positives: Logits) -> tuple[Sources, Logits]:
    for what, count in (("of another origin", len(negatives)), ("of its own", positives.size)):
        if not count:
            raise BundleError(f"{name} cannot be calibrated: the suite's calibration half has no images {what}")
    return negatives, positives
