import math
from collections.abc import Mapping

import pytest
from securesystemslib.signer import SSlibKey

from manyheads_hub.bundles.build import BuiltBundle, build_bundle
from manyheads_hub.evaluations.gate import evaluate
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Look, Scores
from manyheads_shared.bundle import BundleHead, LeftOut
from manyheads_shared.calibration import BoundedEvidence, Sides, read_calibration
from manyheads_shared.condition import Condition
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import BundleError
from manyheads_shared.keys import generate_key, parse_public_key, public_pem
from manyheads_shared.rungs import Rung
from tests.support.makers import NO_DIGEST, TIME, make_generator
from tests.support.scored import HEAD, NO, PRIMARY, SUITE, YES, make_rows, make_scores

HUB_KEY, OWNER_KEY = generate_key().public_key, generate_key().public_key
assert isinstance(HUB_KEY, SSlibKey)
assert isinstance(OWNER_KEY, SSlibKey)
KEYS = {OWNER_KEY.keyid: public_pem(OWNER_KEY), "0" * 64: "of an owner without a head"}

POLICY = Policy.new()
REAL, ALPHA, BETA = make_rows("real", "celeba", 200), make_rows("generated", "alpha", 30), make_rows("generated", "beta", 30)
OUTSIDE = make_rows("generated", "unseen", 30, external=True)
DETECTOR = make_scores(REAL, ALPHA, BETA, OUTSIDE, head=None)


def make_entry(name: str = "alpha", head: Digest = HEAD) -> BundleHead:
    return BundleHead(
        generator=make_generator(name),
        head=head,
        owner_key=OWNER_KEY.keyid,
        owner_statement=NO_DIGEST,
        hub_statement=NO_DIGEST,
    )


def head_scores(name: str = "alpha", head: Digest = HEAD) -> Scores:
    """A head that says yes to its own generator only."""
    rows = [
        row.model_copy(update={"head": (YES if row.source == name else NO) + i / 1000})
        for i, row in enumerate([*REAL, *ALPHA, *BETA])
    ]
    return make_scores(rows, [row.model_copy(update={"head": 100.0}) for row in OUTSIDE], head=head)


PRISTINE = Condition(width=64, height=64, jpeg_quality=None, jpeg_from=None, blur=0.5, noise=0.5, scale=1.0)
LOOKS = (Look("real", 64, PRISTINE), Look("real", 300, PRISTINE), Look("generated", 96, PRISTINE))


def build(
    *heads: tuple[BundleHead, Scores],
    detector: Scores = DETECTOR,
    left_out: tuple[LeftOut, ...] = (),
    policy: Policy = POLICY,
    degraded: Mapping[Rung, Mapping[Digest | None, Scores]] | None = None,
) -> BuiltBundle:
    return build_bundle(
        hub="test-hub",
        sequence=3,
        created=TIME,
        primary=PRIMARY,
        suite=SUITE,
        detector_scores=detector,
        heads=heads,
        looks=LOOKS,
        left_out=left_out,
        owner_keys=KEYS,
        hub_key=HUB_KEY,
        policy=policy,
        degraded=degraded or {},
    )


def test_a_bundle_names_its_parts() -> None:
    left_out = (LeftOut(generator=make_generator("gamma"), head=NO_DIGEST, state="yanked", reason="stolen weights"),)
    built = build((make_entry(), head_scores()), left_out=left_out)
    manifest = built.manifest
    assert (manifest.hub, manifest.sequence, manifest.primary) == ("test-hub", 3, PRIMARY)
    assert manifest.calibration == built.calibration.digest
    assert (manifest.heads, manifest.left_out) == ((make_entry(),), left_out)
    assert parse_public_key(manifest.hub_key).keyid == HUB_KEY.keyid


def test_only_owners_of_a_head_are_named() -> None:
    assert set(build((make_entry(), head_scores())).manifest.owner_keys) == {OWNER_KEY.keyid}


def test_a_primary_without_heads_makes_a_bundle() -> None:
    built = build()
    assert built.manifest.heads == ()
    assert built.manifest.owner_keys == {}
    assert built.calibration.heads == {}
    assert NO < built.calibration.detector.high < YES


def test_bands_come_from_the_calibration_half_of_what_is_not_external() -> None:
    built = build((make_entry(), head_scores()))
    assert (built.calibration.detector.negatives, built.calibration.detector.positives) == (200, 60)
    band = built.calibration.heads[HEAD]
    assert (band.negatives, band.positives) == (230, 30)  # the photographs and beta; alpha
    assert NO + 1 < band.high < YES  # the external images, all at 100, did not count


def test_the_policy_says_what_a_bundle_tolerates_as_it_does_at_the_gate() -> None:
    rising = [row.model_copy(update={"head": i / 1000, "detector": i / 1000}) for i, row in enumerate(REAL)]
    own = [row.model_copy(update={"head": 0.0, "detector": 0.0}) for row in ALPHA]
    proofs = [row.model_copy(update={"proof": True}) for row in own]
    lax = Policy.new(heads_alpha=0.2, detector_alpha=0.1)
    built = build((make_entry(), make_scores(rising, own, BETA)), detector=make_scores(rising, own, head=None), policy=lax)
    strict = build((make_entry(), make_scores(rising, own, BETA)), detector=make_scores(rising, own, head=None))
    assert (built.calibration.heads_alpha, built.calibration.detector_alpha) == (0.2, 0.1)
    assert built.calibration.heads[HEAD].high < strict.calibration.heads[HEAD].high
    assert built.calibration.detector.high < strict.calibration.detector.high
    gated = evaluate(make_scores(rising, proofs, BETA), make_generator("alpha"), lax, head_count=0)
    assert gated.threshold == built.calibration.heads[HEAD].high


def test_many_images_of_a_catalogued_generator_hide_no_photograph() -> None:
    rising = [row.model_copy(update={"head": i / 1000}) for i, row in enumerate(REAL)]
    own = [row.model_copy(update={"head": 0.0}) for row in ALPHA]
    tame = make_rows("generated", "beta", 1000)
    alone, beside = (build((make_entry(), make_scores(rising, own, *more))) for more in ([], [tame]))
    assert alone.calibration.heads[HEAD].high == beside.calibration.heads[HEAD].high


def test_more_heads_make_each_threshold_stricter() -> None:
    rising = [row.model_copy(update={"head": i / 1000}) for i, row in enumerate(make_rows("real", "celeba", 1000))]
    own = [row.model_copy(update={"head": 0.0}) for row in ALPHA]
    alpha = (make_entry(), make_scores(rising, own))
    other = digest_bytes(b"other head")
    beta = (make_entry("beta", other), head_scores("beta", other))
    assert build(alpha).calibration.heads[HEAD].high < build(alpha, beta).calibration.heads[HEAD].high


@pytest.mark.parametrize(
    ("scores", "what"),
    [
        (make_scores(REAL, ALPHA, BETA, suite=NO_DIGEST), "suite"),
        (make_scores(REAL, ALPHA, BETA, head=NO_DIGEST), "head"),
        (make_scores(REAL, ALPHA, BETA).model_copy(update={"primary": NO_DIGEST}), "primary"),
    ],
)
def test_scores_of_something_else_are_refused(scores: Scores, what: str) -> None:
    with pytest.raises(BundleError, match=rf"alpha@1's scores are of {what}"):
        build((make_entry(), scores))


def test_a_suite_without_photographs_cannot_calibrate_the_detector() -> None:
    with pytest.raises(BundleError, match="the detector cannot be calibrated"):
        build(detector=make_scores(ALPHA, BETA, head=None))


def test_a_head_whose_generator_is_not_in_the_suite_cannot_be_calibrated() -> None:
    with pytest.raises(BundleError, match="alpha@1 cannot be calibrated"):
        build((make_entry(), make_scores(REAL, BETA)))


def test_the_same_inputs_give_the_same_bytes() -> None:
    heads = (make_entry(), head_scores())
    assert build(heads).manifest.to_bytes() == build(heads).manifest.to_bytes()


RUNG = Rung("jpeg", 75)


def evidence_of(head: Scores, degraded: Scores) -> BoundedEvidence:
    built = build((make_entry(), head), degraded={RUNG: {None: DETECTOR, HEAD: degraded}})
    assert read_calibration(built.calibration.to_bytes()) == built.calibration
    return built.calibration.heads_evidence[HEAD]


def test_a_bundle_says_what_a_score_is_worth_and_no_more_than_its_images_bear() -> None:
    likelihood = evidence_of(head_scores(), head_scores()).likelihood
    assert likelihood.of(YES + 1) == pytest.approx(math.log10(30 * 31 / 31), abs=0.05)  # 30 images of beta
    assert likelihood.of(NO) < -1
    assert likelihood.cost is not None
    assert likelihood.cost < 0.1


def test_a_bundle_says_how_sure_a_ratio_is_and_what_sizes_it_rests_on() -> None:
    built = build((make_entry(), head_scores()))
    lower, upper = built.calibration.heads_evidence[HEAD].likelihood.interval(YES + 1)
    assert lower is not None
    assert 0 < lower < math.log10(30)
    assert upper is None  # no image of another origin scores as high
    assert built.calibration.sides == Sides(shortest=64, longest=300)


def test_a_stricter_rate_has_a_higher_threshold() -> None:
    evidence = evidence_of(head_scores(), head_scores())
    assert [threshold.family_rate for threshold in evidence.thresholds] == [0.1, 0.01, 0.001]
    logits = [threshold.logit for threshold in evidence.thresholds]
    assert logits == sorted(logits)


def test_a_rung_on_which_photographs_are_claimed_is_not_valid() -> None:
    sound, bad = head_scores(), head_scores()
    claimed = [row.model_copy(update={"head": YES}) if row.kind == "real" else row for row in bad.rows]
    on_sound, on_bad = (
        evidence_of(sound, degraded).reach[0] for degraded in (sound, bad.model_copy(update={"rows": tuple(claimed)}))
    )
    assert (on_sound.ladder, on_sound.strength, on_sound.valid, on_bad.valid) == ("jpeg", 75.0, True, False)
    assert on_bad.real is not None
    assert on_bad.real.share > 0.9
