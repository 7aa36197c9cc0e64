"""The numbers of the gate and of upgrades, each with its reason. A maintainer changes them in FOLDER/policy.json.

What the default promises, each at 95 % confidence and for images like the suite's: an accepted head claims at most 8 % of
photographs, at most 15 % of the images of every other generator in the suite, and finds at least half of its own
generator's. The limits are loose because bounds on few images are wide: of 45 photographs without one false claim the bound
is still 7.9 %. With a larger suite lower them: 1,000 photographs without a claim bound the share at 0.4 %.

The same limits hold for the degraded images of each profile named here, so that nobody is framed by a picture that was shared.

What it does not promise: anything about photographs or generators unlike those of the suite (external sources are measured
and reported, and decide nothing), or about a head that its owner tuned against many refusals (the hub limits submissions a day
and full examinations of one suite). A bundle's own thresholds are fitted anew, by the same
function with the same tolerated shares, for the heads and the suite of its day. A head that joins makes every other one's
stricter, one that leaves makes them milder, and another suite moves them either way; the figures stay those of the
acceptance.
"""

import json
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from manyheads_shared.calibration import DETECTOR_ALPHA, HEADS_ALPHA
from manyheads_shared.canonical import refuse_duplicates, to_canonical
from manyheads_shared.degradations import PROFILES
from manyheads_shared.document import Document
from manyheads_shared.errors import ManifestError, UsageError
from manyheads_shared.files import write_atomic

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Count0 = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(max_length=64)]
Share = Annotated[float, Field(ge=0, le=1)]
OLDER_FORMATS = (
    "manyheads.policy/1",  # without the two stages, copies, degradations, triggers, budget and challenge
    "manyheads.policy/2",  # without what is asked of a candidate primary
)


class Policy(Document):
    """When a head is accepted, a primary promoted. Bounds are two-sided Clopper-Pearson at 95 %, on the suite's test half."""

    FORMAT: ClassVar[str] = "manyheads.policy/3"

    heads_alpha: Fraction = HEADS_ALPHA
    # share of photographs, and of other generators' images, that all heads together may claim; for bundles as for the gate
    detector_alpha: Fraction = DETECTOR_ALPHA
    # share of photographs that the detector may call generated; its threshold decides which images count as called real

    min_recall_lower: Fraction = 0.5
    # a head that may miss more than half of its images is of little use to a client, and adds its false claims all the same
    max_real_upper: Fraction = 0.08
    # claiming a photograph harms most; 8 % is reached by 45 photographs without a false claim, or 100 with two
    max_generator_upper: Fraction = 0.15
    # naming the wrong maker accuses another owner; 15 % is reached by 24 images without a false claim, or 50 with two
    max_blind_lower: Fraction = 0.5
    # the detector has priority over every head: where it surely calls half of a generator's images real, a head for them
    # could only contradict it

    min_real: Count = 45  # test photographs, all sources together: with fewer, no head could stay below max_real_upper
    min_generator: Count = 24  # test images of every other generator: likewise for max_generator_upper
    min_proofs: Count = 24  # test images among the proofs, half of what is submitted; once accepted they join the suite and
    # must suffice for `min_generator`

    # stage 1, the quick examination: a few images of the calibration half, so that nothing is learnt of the test half
    quick_images: Count = 24  # of each source, and of the proofs: enough to see what is blatant
    min_spread: Fraction = 0.001  # logits, standard deviation over all images: a head below it answers all images alike
    max_claims_at_zero: Fraction = 0.5
    # at logit 0, where training puts the border, a head that surely claims more of all foreign images than this has no border
    min_quick_auroc: Fraction = 0.6
    # 0.5 is chance; with 24 proofs an honest head of AUROC 0.8 falls below 0.6 once in a thousand times

    # copies: of heads for other generators, whoever owns them
    max_weight_similarity: Fraction = 0.95
    # after undoing what changes no answer; honest heads of one trunk and start: at most 0.8, a copy with 5 % noise: above 0.97
    max_output_agreement: Fraction = 0.97
    # rank correlation of two heads' logits; honest heads disagree at least on each other's generators

    # images changed on the way: figures under every profile, the limits being those of unchanged images
    degradations: tuple[Name, ...] = ("paper-as-written", "laundering")
    degradation_seed: Count0 = 0
    validity_images: Count = 60  # of each source and rung when a bundle's validity is measured: bounds within 6 %

    # hidden triggers: a patch optimised against photographs (docs/decisions/0014); a head is refused above both
    max_trigger_gain: Positive = (
        0.75  # of its own contrast, photographs to own images; honest heads: up to 0.5, planted: 1 to 2
    )
    max_trigger_ratio: Positive = 3.0  # times the most sensitive other network on the trunk

    max_bundle_loss_lower: Fraction = 0.05
    # share of the other generators' images that the bundle named rightly and, because of this head, names no more

    examinations_per_epoch: Count = 20
    # full examinations of one contributor on one suite: with coarse answers, few bits each

    # ownership: fresh images for seeds that the hub chooses after the head is fixed; 0 asks nobody
    challenge_images: Count0 = 0
    challenge_hours: Count = 72
    min_challenge_recall_lower: Fraction = 0.5  # as for proofs
    max_rival_claims_lower: Fraction = 0.15  # another accepted head that surely claims more of the fresh images contests them

    # a candidate primary: what becomes of the heads, and what the detector must do before it is promoted
    max_retention_loss: Share = 0.02
    # of a head's AUROC: with more it is not compatible; measured ways of keeping heads alive stay within it (docs/upgrades.md)
    min_degraded_auroc: Share = 0.8  # below it a head is obsolete, not degraded: it hardly tells its generator from others
    min_retained: Share = 0.8  # of the listed heads, those that must be compatible
    max_detector_real_upper: Share = 0.08  # of photographs, those that the detector may call generated; as `max_real_upper`
    min_detector_recall_lower: Share = 0.5  # of each generator's images, those it must call generated; as `max_blind_lower`
    max_detector_loss_lower: Share = 0.01  # of AUROC on each generator, that the detector may surely lose
    grace_days: Count = 90  # how long a head that is not compatible is run beside, on its own trunk

    @field_validator("degradations")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PROFILES or name == "clean":
                raise ValueError(
                    f"expected degradation profiles ({', '.join(PROFILES)}; clean is always measured), got {name!r}"
                )
        return names


def read_policy(path: Path) -> Policy:
    """Read a policy that people edit: any JSON spelling is taken; `digest` covers the canonical form.

    What is not named has its default, as has everything that a policy of an earlier version did not know.

    Raises:
        UsageError: no such file.
        ManifestError, UnsupportedVersionError: not JSON, or not a policy.
    """
    try:
        value = json.loads(path.read_bytes(), object_pairs_hook=refuse_duplicates)
        if isinstance(value, dict) and value.get("format") in OLDER_FORMATS:
            value |= {"format": Policy.FORMAT}
        return Policy.from_bytes(to_canonical(value))
    except FileNotFoundError as error:
        raise UsageError(f"no policy at {path}; `manyheads-hub init` writes the default one") from error
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: expected JSON: {error}") from error


def write_policy(path: Path, policy: Policy) -> None:
    """Write a policy for people to edit."""
    write_atomic(path, (json.dumps(policy.model_dump(mode="json"), indent=2) + "\n").encode())
