"""A look at a suite before it is used: what in it cannot be decoded, and whether the gate could accept any head with it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.suite import Progress, Suite, SuiteImage, load_suite, work_ahead
from manyheads_shared.dataset import scan_dataset
from manyheads_shared.errors import ImageError


def survey_suite(folder: Path, policy: Policy, on_image: Progress | None = None) -> tuple[str, ...]:
    """Return what a maintainer should know of a suite, one sentence each; nothing when all is well.

    Args:
        on_image: called after every image with the images done and the images in all.

    Raises:
        DatasetError: no such folder, a wrong source name, or no image in it.
    """
    paths = {item.digest: item.path for item in scan_dataset(folder).items}
    suite = load_suite(folder, {})
    notes = [f"{paths[unusable.digest]}: left out, {unusable.reason}" for unusable in suite.set_aside]
    usable: list[SuiteImage] = []
    for done, (image, result) in enumerate(work_ahead(suite.images, lambda image: image.decode().pixels.shape), start=1):
        if isinstance(result, ImageError):
            notes.append(f"{paths[image.digest]}: left out, {result}")
        else:
            usable.append(image)
        if on_image:
            on_image(done, len(suite.images))
    return (*notes, *_find_shortfalls(Suite(tuple(usable), ()), policy))


def _find_shortfalls(suite: Suite, policy: Policy) -> Iterator[str]:
    """Say where the gate would have too few images to test on, whatever the head."""
    tested = Counter(image.label for image in suite.images if image.part == "test" and not image.label.external)
    real = sum(count for label, count in tested.items() if label.kind == "real")
    if real < policy.min_real:
        yield _shortfall("photographs, all sources together", real, policy.min_real)
    for label, count in sorted(tested.items()):
        if label.kind == "generated" and count < policy.min_generator:
            yield _shortfall(f"images of {label.source}", count, policy.min_generator)


def _shortfall(what: str, count: int, enough: int) -> str:
    return (
        f"{count} {what} test a head and the policy asks for {enough}: no head can be accepted. Half of the images test; "
        f"bring them to {2 * enough}, or change the policy knowing what it then promises."
    )
