"""The gate's numbers, each with its reason. A maintainer changes them in FOLDER/policy.json.

What the default promises, each at 95 % confidence and for images like the suite's: an accepted head claims at most 8 % of
photographs, at most 15 % of the images of every other generator in the suite, and finds at least half of its own
generator's. The limits are loose because bounds on few images are wide: of 45 photographs without one false claim the bound
is still 7.9 %. With a larger suite lower them: 1,000 photographs without a claim bound the share at 0.4 %.

What it does not promise: anything about photographs or generators unlike those of the suite (external sources are measured
and reported, and decide nothing), about images that were changed after they were made, or about a head that its owner
tuned against many refusals (the hub limits submissions a day). A bundle's own thresholds are fitted anew, by the same
function with the same tolerated shares, for the heads and the suite of its day. A head that joins makes every other one's
stricter, one that leaves makes them milder, and another suite moves them either way; the figures stay those of the
acceptance.
"""

import json
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from manyheads_shared.calibration import DETECTOR_ALPHA, HEADS_ALPHA
from manyheads_shared.canonical import refuse_duplicates, to_canonical
from manyheads_shared.document import Document
from manyheads_shared.errors import ManifestError, UsageError
from manyheads_shared.files import write_atomic

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Policy(Document):
    """When a head is accepted. Bounds are two-sided Clopper-Pearson at 95 %, on the suite's test half."""

    FORMAT: ClassVar[str] = "manyheads.policy/1"

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


def read_policy(path: Path) -> Policy:
    """Read a policy that people edit: any JSON spelling is taken; `digest` covers the canonical form.

    Raises:
        UsageError: no such file.
        ManifestError, UnsupportedVersionError: not JSON, or not a policy.
    """
    try:
        value = json.loads(path.read_bytes(), object_pairs_hook=refuse_duplicates)
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
