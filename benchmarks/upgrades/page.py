"""The comparison as a page of Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.markdown import markdown_table

WAYS = {  # in the order of the page, with what each is
    "earlier": "the earlier primary itself; also what (c), both primaries side by side, gives the old heads",
    "same-trunk": "the earlier trunk as it is, a new detector on it",
    "compatible-0.1-heads": "(a) held to the earlier features and the old heads' logits, weight 0.1: the recipe's default",
    "compatible-1-heads": "(a) the same, weight 1",
    "compatible-0.1": "(a) held to the earlier features alone, weight 0.1",
    "unconstrained": "fresh weights, knows nothing of the earlier one",
    "continued": "began at the earlier weights as (a) does, otherwise free: it has twice the epochs of a fresh one behind it",
    "unconstrained, adapter 1x1": "(b) the fresh one, old features by one 1x1 convolution",
    "unconstrained, adapter 3x3": "(b) the fresh one, by one 3x3 convolution",
    "continued, adapter 1x1": "(b) the continued one, by one 1x1 convolution",
    "continued, adapter 3x3": "(b) the continued one, by one 3x3 convolution",
}


def render(value: Mapping[str, Any]) -> str:
    """Tables over all seeds: means, and the least and the greatest."""
    seeds, roles, limits = list(value["seeds"].values()), value["roles"], value["images"]
    lines = [
        "# Old heads under a new primary",
        "",
        f"`{value['command']}`",
        "",
        f"{value['date']}; {value['hardware']}; seeds {', '.join(value['seeds'])}.",
        "",
        f"The earlier primary learned photographs and {', '.join(roles['public'])}; the new one {', '.join(roles['new'])} too.",
        f"Four old heads: of the former two, and of {', '.join(roles['private'])}, whose images no primary and no adapter saw.",
        _counts(limits, 0, "Photographs") + "; " + _counts(limits, 1, "images of each generator") + ". AUROC in percent, on",
        "test images: of a head, its generator's against all others; of the detector, a generator's against photographs.",
        "Mean over seeds [least, greatest]. Weight 0.1 was chosen by a look at seed 1, its test images included; the others",
        "had no part in that.",
        "",
        "## In short",
        "",
        *markdown_table(
            (
                "way",
                "old heads lose, mean",
                "worst head of any seed",
                "detector, new generators",
                "behind unconstrained",
                "behind continued",
                "new heads",
                "behind unconstrained",
                "behind continued",
            ),
            list(_summary(seeds, roles)),
        ),
        "",
        *(f"- **{name}**: {what}" for name, what in WAYS.items() if name in seeds[0]),
        "",
        "## Old heads, AUROC; points lost with the paired 95 % interval of the worst seed",
        "",
        *markdown_table(
            ("way", *seeds[0]["earlier"]["old_heads"]),
            [(name, *(_head(seeds, name, head) for head in seeds[0]["earlier"]["old_heads"])) for name in _ways(seeds)],
        ),
        "",
        "## Detector, AUROC of each generator's images against photographs",
        "",
        *markdown_table(
            ("way", *seeds[0]["earlier"]["detector"]),
            [
                (
                    name,
                    *(
                        _spread([100 * seed[name]["detector"][source] for seed in seeds])
                        for source in seeds[0][name]["detector"]
                    ),
                )
                for name in _ways(seeds)
                if "adapter" not in name
            ],
        ),
        "",
    ]
    return "\n".join(lines)


def _counts(limits: Mapping[str, Sequence[int]], column: int, what: str) -> str:
    return f"{what}: {', '.join(f'{limits[side][column]} to {side}' for side in limits)}"


def _summary(seeds: Sequence[Mapping[str, Any]], roles: Mapping[str, Sequence[str]]) -> Iterator[Sequence[str]]:
    def over_new(name: str, what: str) -> list[float]:
        return [100 * float(np.mean([seed[name][what][source] for source in roles["new"]])) for seed in seeds]

    for name in _ways(seeds):
        losses = [[100 * head["loss"] for head in seed[name]["old_heads"].values()] for seed in seeds]
        figures = []
        for what in ("detector", "new_heads"):
            own = over_new(name, what)
            frees = [over_new(free, what) for free in ("unconstrained", "continued")]
            figures += [_spread(own), *(_spread([b - a for a, b in zip(own, free, strict=True)]) for free in frees)]
        yield name, _spread([float(np.mean(each)) for each in losses]), f"{max(max(each) for each in losses):.1f}", *figures


def _head(seeds: Sequence[Mapping[str, Any]], name: str, head: str) -> str:
    found = [seed[name]["old_heads"][head] for seed in seeds]
    worst = max(found, key=lambda each: each["loss"])
    area = _spread([100 * each["auroc"] for each in found])
    if name == "earlier":
        return area
    return f"{area}; {100 * worst['loss']:.1f} [{100 * worst['loss_lower']:.1f}, {100 * worst['loss_upper']:.1f}]"


def _ways(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name for name in WAYS if name in seeds[0]]


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f} [{min(values):.1f}, {max(values):.1f}]"
