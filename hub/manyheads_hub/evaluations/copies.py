"""Copied heads: found by their weights, and by what they answer. Pure numpy; no network is run here.

A head can be disguised without changing one answer: its channels permuted, scaled by positive factors through the ReLUs, its
batch norms folded into other numbers, its logit stretched and shifted (the hub places the threshold anyway).
`weight_similarity` undoes all of these before it compares, and a little noise moves it a little. A copy that was trained on for
a while is told by its answers: `output_agreement`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Score, head_logits
from manyheads_shared.api import Reason
from manyheads_shared.architectures import Architecture
from manyheads_shared.artifact import HeadArtifact, Tensors
from manyheads_shared.document import Fraction, Value
from manyheads_shared.manifest import DigestField

MIN_IMAGES = 8  # fewer order themselves alike by chance

Vectors = NDArray[np.float64]  # (channels, numbers): one unit vector a channel


class Likeness(Value):
    """How like one other head a head is."""

    head: DigestField
    generator: str  # name@version
    weights: Fraction  # 1: the same function up to stretching and shifting
    outputs: Fraction | None  # rank correlation; None where it was not measured


@dataclass(frozen=True)
class Plain:
    """A head with its disguises undone: unit vectors of incoming weights and bias, layer by layer, and the read-out."""

    layers: tuple[NDArray[np.float64], ...]  # (channels out, channels in, kernel, kernel)
    biases: tuple[NDArray[np.float64], ...]  # (channels out,)
    decision: NDArray[np.float64]  # (channels, positions): what the read-out weighs each last channel by


def weight_similarity(one: Tensors, other: Tensors, architecture: Architecture) -> float:
    """Compare the weights of two heads, 0 to 1.

    The plan: (1) undo batch norm and scale in both; layer by layer (2) match the channels, (3) compare those that carry
    something; (4) compare the read-outs. The smallest of the likenesses counts: heads that start from the same numbers may
    share a layer.

    Args:
        one, other: float32, exactly the tensors that the architecture declares.
    """
    # step 1
    first, second = _plain(one, architecture), _plain(other, architecture)
    likenesses = []
    order = np.arange(first.layers[0].shape[1])  # which channel of `other` a channel of `one` corresponds to
    for number, (layer, other_layer) in enumerate(zip(first.layers, second.layers, strict=True)):
        # step 2
        vectors = _vectors(layer, first.biases[number])
        candidates = _vectors(other_layer[:, order], second.biases[number])
        cosines = _unit(vectors) @ _unit(candidates).T
        rows, order = optimize.linear_sum_assignment(-cosines)
        # step 3
        weights = _outgoing(first, number) * np.linalg.norm(vectors, axis=1)
        likenesses.append(_mean(cosines[rows, order], weights))
    # step 4
    mine, theirs = (_unit(decision.reshape(1, -1))[0] for decision in (first.decision, second.decision[order]))
    likenesses.append(float(mine @ theirs))
    return float(np.clip(min(likenesses), 0.0, 1.0))


def output_agreement(rows: Sequence[Score], others: NDArray[np.float32], generator: str) -> float | None:
    """Compare the answers of two heads, 0 to 1: the rank correlation of their logits.

    The smaller of two counts: on all images, and on those of both generators (the proofs, and the suite's images of the
    other), which honest heads order the opposite way round. Ranks, because stretching and shifting change no answer.

    Args:
        rows: scores of the head under evaluation.
        others: float32 (N,), the other head's logits of the same images.
        generator: the other head's, by name.
    """
    mine = head_logits(rows)
    both = np.array([row.proof or (row.kind == "generated" and row.source == generator) for row in rows], dtype=bool)
    found = [_spearman(mine[chosen], others[chosen]) for chosen in (np.ones(len(rows), dtype=bool), both)]
    known = [value for value in found if value is not None]
    return float(np.clip(min(known), 0.0, 1.0)) if known else None


def compare_weights(head: HeadArtifact, rivals: Sequence[HeadArtifact], architecture: Architecture) -> tuple[Likeness, ...]:
    """Compare a head's weights with those of every other accepted head, the likest first."""
    found = [
        Likeness(
            head=rival.digest,
            generator=rival.manifest.generator.title,
            weights=weight_similarity(head.tensors, rival.tensors, architecture),
            outputs=None,
        )
        for rival in rivals
    ]
    return tuple(sorted(found, key=lambda likeness: -likeness.weights))


def check_copies(likenesses: Sequence[Likeness], policy: Policy) -> list[Reason]:
    """Return why a head counts as a copy; nothing when it does not."""
    return [
        Reason(
            code="copied-head",
            message=f"the head is that of {likeness.generator} in disguise: {_how(likeness, policy)}. A head must be trained "
            "on "
            "images of its own generator; train one from a fresh start.",
        )
        for likeness in likenesses
        if likeness.weights > policy.max_weight_similarity or (likeness.outputs or 0) > policy.max_output_agreement
    ]


def _how(likeness: Likeness, policy: Policy) -> str:
    if likeness.weights > policy.max_weight_similarity:
        return "its weights are the same up to the order and scale of their channels"
    return "it orders the images of the suite, and those of both generators, as that head does"


def _plain(tensors: Tensors, architecture: Architecture) -> Plain:
    """Fold batch norm away, and give every hidden channel a unit vector; what that takes goes to the next layer."""
    layers, biases = [], []
    for number, conv in enumerate(architecture.head, start=1):
        weight, bias = (tensors[f"conv{number}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        if conv.batch_norm:
            gain, shift, mean, variance = (
                tensors[f"norm{number}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
            )
            factor = gain / np.sqrt(variance + architecture.batch_norm_eps)
            weight, bias = weight * factor[:, None, None, None], (bias - mean) * factor + shift
        layers.append(weight)
        biases.append(bias)
    decision = tensors["decision.weight"][0].astype(np.float64).reshape(layers[-1].shape[0], -1)
    for number in range(len(layers)):
        size = np.linalg.norm(_vectors(layers[number], biases[number]), axis=1)
        layers[number] = layers[number] / np.where(size > 0, size, 1)[:, None, None, None]
        biases[number] = biases[number] / np.where(size > 0, size, 1)
        if number + 1 < len(layers):
            layers[number + 1] = layers[number + 1] * size[None, :, None, None]
        else:
            decision = decision * size[:, None]
    return Plain(tuple(layers), tuple(biases), decision)


def _outgoing(head: Plain, number: int) -> NDArray[np.float64]:
    """How much the next layer takes of each channel of one."""
    following = head.layers[number + 1].swapaxes(0, 1) if number + 1 < len(head.layers) else head.decision
    sizes: NDArray[np.float64] = np.linalg.norm(following.reshape(len(following), -1), axis=1)
    return sizes


def _vectors(weight: NDArray[np.float64], bias: NDArray[np.float64]) -> Vectors:
    return np.column_stack([weight.reshape(len(weight), -1), bias])


def _unit(vectors: Vectors) -> Vectors:
    size = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(size > 0, size, 1)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(np.average(values, weights=weights)) if weights.sum() > 0 else float(values.mean())


def _spearman(one: NDArray[np.float32], other: NDArray[np.float32]) -> float | None:
    if len(one) < MIN_IMAGES or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks, ties sharing their mean."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: NDArray[np.float64] = ends - (counts - 1) / 2
    return middles[places]
