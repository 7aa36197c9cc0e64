"""An owner's answer to a hub's ownership challenge: one fresh image for every seed, and a signed statement on them.

Making the images is the owner's: with a generator that takes a seed, by that seed. Sending them is for `hub_client`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from manyheads_shared import clock
from manyheads_shared.api import ChallengeInfo
from manyheads_shared.challenge import derive_seeds
from manyheads_shared.digest import Digest, digest_bytes, digest_file
from manyheads_shared.errors import DatasetError, ManifestError
from manyheads_shared.image import SUFFIXES, decode_image
from manyheads_shared.statements import AnswerPredicate, sign_answer


@dataclass(frozen=True)
class Answer:
    """A statement and the images it is about, in the order of the seeds."""

    statement: bytes
    images: tuple[Digest, ...]
    files: dict[Digest, Path]

    @property
    def statement_digest(self) -> Digest:
        """The statement's name at the hub."""
        return digest_bytes(self.statement)


def check_seeds(challenge: ChallengeInfo) -> None:
    """Check that a hub's seeds are those of its nonce: an owner signs for nothing else.

    Raises:
        ManifestError: they are not.
    """
    if tuple(challenge.seeds) != derive_seeds(challenge.nonce, len(challenge.seeds)):
        raise ManifestError("the hub's seeds are not those of its nonce; answer nothing, and ask its maintainer")


def find_images(folder: Path, seeds: Sequence[int]) -> list[Path]:
    """Return the image of every seed, `SEED.png` or with another suffix, in the order of the seeds.

    Raises:
        DatasetError: one is missing, stands there twice, or is no image.
        ImageError: one cannot be decoded.
    """
    found = []
    for seed in seeds:
        paths = [folder / f"{seed}{suffix}" for suffix in sorted(SUFFIXES) if (folder / f"{seed}{suffix}").is_file()]
        if len(paths) != 1:
            raise DatasetError(
                f"{folder}: expected one image named {seed} ({', '.join(sorted(SUFFIXES))}), found {len(paths)}; "
                "run the generator with that seed and save what it makes under its number"
            )
        decode_image(paths[0].read_bytes())
        found.append(paths[0])
    return found


def build_answer(challenge: ChallengeInfo, folder: Path, signer: CryptoSigner) -> Answer:
    """Sign an answer from a folder of images named by seed.

    Raises:
        ManifestError: as `check_seeds`.
        DatasetError, ImageError: as `find_images`; or two images are the same file.
    """
    check_seeds(challenge)
    paths = find_images(folder, challenge.seeds)
    images = tuple(digest_file(path) for path in paths)
    if len(set(images)) != len(images):
        raise DatasetError(f"{folder}: two seeds have the same image; does the generator take the seed?")
    predicate = AnswerPredicate(
        generator=challenge.generator,
        submission=challenge.submission,
        nonce=challenge.nonce,
        images=images,
        created=clock.now(),
    )
    return Answer(sign_answer(Digest(challenge.head), predicate, signer), images, dict(zip(images, paths, strict=True)))
