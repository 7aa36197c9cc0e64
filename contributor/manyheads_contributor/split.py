"""Train, val and test: which side every image falls on, decided by its content alone.

An image's position in [0, 1) is a hash of the seed and its group; the fractions cut that line into three sides. File names
and their order change nothing, and a new image moves no other one but its own near-duplicates. Reading pixels for training
is left to others.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from manyheads_contributor.duplicates import Fingerprint, Labels, find_duplicates, join, read_fingerprints
from manyheads_shared.canonical import to_canonical
from manyheads_shared.dataset import Dataset, Item, dataset_digest
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import DatasetError, ImageError, UsageError

Side = Literal["train", "val", "test"]
SIDES: tuple[Side, ...] = ("train", "val", "test")


class LeftOut(NamedTuple):
    """An image that cannot be decoded."""

    item: Item
    reason: str


@dataclass(frozen=True)
class Split:
    """Three sides of a dataset. External images are on none; near-duplicates are on one."""

    train: tuple[Item, ...]
    val: tuple[Item, ...]
    test: tuple[Item, ...]
    digest: Digest  # of the labels and content digests of the three sides
    groups: Mapping[Side, int]  # pictures after near-duplicates and `group_pattern` were joined: the effective sample size
    prints: Mapping[Digest, Fingerprint]  # of the images on the three sides
    left_out: tuple[LeftOut, ...]


def split_dataset(
    dataset: Dataset,
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    group_pattern: str | None = None,
    on_image: Callable[[], None] | None = None,
) -> Split:
    r"""Split a dataset into train, val and test.

    The plan: (1) leave out external and undecodable images; (2) join near-duplicates, over all sources, and what
    `group_pattern` names as one; (3) place every group by a hash of the seed; (4) see that every source has every side.

    Args:
        dataset: labelled images.
        seed: another seed, another split.
        fractions: shares of train, val and test, in expectation; a source of n groups varies by about 1/sqrt(n).
        group_pattern: a regular expression whose first group, searched in the file name, keeps files of one source
            together: ``latent(\d+)`` for sheets of the same latents over many epochs.
        on_image: called after each image read.

    Raises:
        UsageError: fractions that do not add up to 1, or a pattern without a group or without a match.
        DatasetError: no image to split.
    """
    if len(fractions) != len(SIDES) or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UsageError(f"expected three fractions that add up to 1 (train, val, test), got {fractions}")
    # step 1
    candidates = [item for item in dataset.items if not item.external]
    prints = read_fingerprints([item.path for item in candidates], on_image=on_image)
    left_out = tuple(LeftOut(item, str(p)) for item, p in zip(candidates, prints, strict=True) if isinstance(p, ImageError))
    readable = [(item, p) for item, p in zip(candidates, prints, strict=True) if isinstance(p, Fingerprint)]
    if not readable:
        raise DatasetError(f"{dataset.root}: no decodable image outside external/; there is nothing to split")
    items = [item for item, _ in readable]
    # step 2
    names = _group_names(items, group_pattern)
    if group_pattern and not any(names):
        raise UsageError(f"group pattern {group_pattern!r} matches no file name, for instance not {items[0].path.name!r}")
    labels = group_images(items, [p for _, p in readable], group_pattern).tolist()
    # step 3
    positions: dict[int, str] = {}
    for label, item, name in zip(labels, items, names, strict=True):
        token = hashlib.sha256(f"{seed}|{name or item.digest}".encode()).hexdigest()
        positions[label] = min(token, positions.get(label, token))
    cuts = np.cumsum(fractions)[:-1]
    places = {label: _place(token) for label, token in positions.items()}
    sides = {label: int(np.searchsorted(cuts, place, side="right")) for label, place in places.items()}
    # step 4
    _fill_empty_sides(items, labels, places, sides, fractions)
    train, val, test = (
        tuple(sorted(item for item, label in zip(items, labels, strict=True) if sides[label] == side)) for side in range(3)
    )
    digest = digest_bytes(to_canonical([dataset_digest(side) for side in (train, val, test)]))
    groups = {side: sum(1 for label in positions if sides[label] == i) for i, side in enumerate(SIDES)}
    return Split(train, val, test, digest, groups, {item.digest: p for item, p in readable}, left_out)


def group_images(items: Sequence[Item], prints: Sequence[Fingerprint], pattern: str | None) -> Labels:
    """Number the pictures that images show: near-duplicates, and files that `pattern` names as one, are one.

    Args:
        items: labelled images.
        prints: their fingerprints.
        pattern: as `split_dataset`'s `group_pattern`; what it does not match is joined by content alone.

    Returns:
        int64 (N,).

    Raises:
        UsageError: not a regular expression, or one without a group.
    """
    pairs = np.concatenate([find_duplicates(prints), _named_pairs(_group_names(items, pattern))])
    return join(len(items), pairs)


def _group_names(items: Sequence[Item], pattern: str | None) -> list[str | None]:
    """Name each item's group as the pattern has it, unique over the sources; None where the pattern does not match."""
    if not pattern:
        return [None] * len(items)
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"group pattern {pattern!r}: not a regular expression: {error}") from error
    if not expression.groups:
        raise UsageError(rf"group pattern {pattern!r}: expected a group in parentheses, like latent(\d+)")
    found = [expression.search(item.path.name) for item in items]
    return [f"{item.kind}/{item.source}/{match[1]}" if match else None for item, match in zip(items, found, strict=True)]


def _named_pairs(names: Sequence[str | None]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    first: dict[str, int] = {}
    pairs = [(first[name], i) for i, name in enumerate(names) if name is not None and first.setdefault(name, i) != i]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _place(token: str) -> float:
    """Position in [0, 1). Hashed again: the smallest of several tokens is not uniform."""
    return int.from_bytes(hashlib.sha256(token.encode()).digest()[:6], "big") / (1 << 48)


def _fill_empty_sides(
    items: Sequence[Item],
    labels: Sequence[int],
    places: dict[int, float],
    sides: dict[int, int],
    fractions: tuple[float, float, float],
) -> None:
    """Give each source an image on every wanted side: the group nearest to an empty side moves there. Small sources only."""
    sources: dict[tuple[str, str], set[int]] = {}
    homes: dict[int, set[tuple[str, str]]] = {}
    for item, label in zip(items, labels, strict=True):
        sources.setdefault((item.kind, item.source), set()).add(label)
        homes.setdefault(label, set()).add((item.kind, item.source))
    edges = np.concatenate([[0.0], np.cumsum(fractions)])
    for groups in sources.values():
        for side in range(3):
            held = [sides[label] for label in groups]
            if not fractions[side] or side in held:
                continue
            middle = (edges[side] + edges[side + 1]) / 2
            movable = [label for label in groups if held.count(sides[label]) > 1 and len(homes[label]) == 1]
            if movable:
                sides[min(movable, key=lambda label: (abs(places[label] - middle), places[label]))] = side
