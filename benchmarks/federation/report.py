"""The benchmark's results as a page of Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import markdown_table

Trials = list[Mapping[str, Any]]


def render(value: Mapping[str, Any]) -> str:
    """The whole page."""
    settings = ", ".join(f"{name} {number}" for name, number in value["settings"].items())
    held = ", ".join(value["generators"])
    lines = [
        "# A primary trained by a federation, and under attack",
        "",
        "`python -m benchmarks.federation --data ../shared/data/faces64`",
        "",
        f"{value['date']}; {value['hardware']}. {value['owners']} owners with {value['images_of_an_owner']} images each,",
        f"half of them photographs and half of one generator ({held}).",
        "No owner sees another's generator unless they share it. The centre 32 x 32 of faces64; test images by content and",
        f"latent, none trained on. A round is {settings}; sixteen passes are 100 rounds.",
        "*Mixed owners* have images of all generators, the same images in other hands.",
        f"*With the maintainer* there is one party more, of public images: {value['public'][0]} photographs and",
        f"{value['public'][1]} images of each generator, none of them an owner's or a test image. `trust` trusts it;",
        "`public-alone` is central training on its images, as many steps as `central` takes. *Influence* is the",
        "attackers' together, mean over rounds.",
        "AUROC is the detector's, real against generated; *backdoored* against generated images with the backdoor's mark.",
        "*R@1* is the share of generated images found when 1 % of photographs are called generated. A point is 0.01 of AUROC.",
        "One seed, where none is named. Sixteen passes are not converged, and differences of some points are noise: NaN and",
        "scaling only take the attackers' images away, and what that costs differs by so much.",
        "",
        *_clean(value),
        *_attacked(value),
        *_seeds(value),
        "## Not reached",
        "",
        *_missing(value["missing"]),
        "",
    ]
    return "\n".join(lines)


def _missing(titles: Sequence[str]) -> list[str]:
    """The trainings that were not reached, by strategy and number of attackers."""
    groups: dict[str, list[str]] = {}
    for title in titles:
        strategy, attack, attackers, seed, weighting, rounds, *kinds = title.split("_")
        group = f"{strategy}, {attackers} attackers" if attack != "none" else f"{strategy}, no attack"
        what = attack if attack != "none" else f"seed {seed}"
        group += " by examples" if weighting == "examples" else ""
        group += ", mixed owners" if "mixed" in kinds else ""
        group += ", with the maintainer" if "public" in kinds else ""
        groups.setdefault(f"{group}, {rounds} rounds", []).append(what)
    return [f"- {group}: {', '.join(whats)}" for group, whats in groups.items()] or ["Nothing."]


def _clean(value: Mapping[str, Any]) -> list[str]:
    trials = [trial for trial in value["trials"] if trial["attack"] == "none" and trial["seed"] == 0]
    rows = [
        (
            _name(trial),
            _passes(trial),
            _figure(trial, "auroc"),
            _points(trial, _find(trials, "central", rounds=trial["rounds"])),
            _points(trial, _find(trials, "central-large-batch", rounds=trial["rounds"])),
            _figure(trial, "recall_at_1"),
            _figure(trial, "accuracy"),
            trial["seconds"],
        )
        for trial in trials
    ]
    columns = (
        "training",
        "passes",
        "AUROC",
        "points from central",
        "points from large-batch",
        "R@1",
        "balanced accuracy at logit 0",
        "s",
    )
    note = "`central` has the batch of the recipe `quick`, 32; `central-large-batch` that of all parties' steps together, 160."
    return ["## Without an attack", "", note, "", *markdown_table(columns, rows), ""]


def _attacked(value: Mapping[str, Any]) -> list[str]:
    trials = [trial for trial in value["trials"] if trial["attack"] != "none"]
    clean = [trial for trial in value["trials"] if trial["attack"] == "none"]
    rows = [
        (
            _name(trial),
            trial["attack"],
            f"{trial['attackers']} of {value['owners']}",
            _figure(trial, "auroc"),
            _figure(trial, "auroc_backdoored"),
            _passes(trial),
            _points(trial, _find(clean, trial["strategy"], rounds=trial["rounds"], mixed=_mixed(trial), public=_public(trial))),
            _points(trial, _find(clean, "central", rounds=trial["rounds"])),
            _influence(trial),
            _rejected(trial),
        )
        for trial in trials
    ]
    columns = (
        *("strategy", "attack", "attackers", "AUROC", "backdoored", "passes", "points from no attack", "points from central"),
        *("influence", "rounds in which attackers / honest were rejected"),
    )
    return ["## Under attack", "", *markdown_table(columns, rows), ""]


def _seeds(value: Mapping[str, Any]) -> list[str]:
    trials = [trial for trial in value["trials"] if trial["attack"] == "none" and trial["rounds"] == 100]
    names = sorted({trial["strategy"] for trial in trials if trial["seed"]})
    if not names:
        return []
    seeds = sorted({trial["seed"] for trial in trials})
    rows = [(name, *(_figure(_find(trials, name, seed), "auroc") for seed in seeds)) for name in names]
    return ["## Other seeds", "", *markdown_table(("training", *(f"AUROC, seed {seed}" for seed in seeds)), rows), ""]


def _find(
    trials: Trials, strategy: str, seed: int = 0, rounds: int = 100, *, mixed: bool = False, public: bool = False
) -> Mapping[str, Any] | None:
    wanted = strategy, seed, rounds, mixed, public
    return next((t for t in trials if (t["strategy"], t["seed"], t["rounds"], _mixed(t), _public(t)) == wanted), None)


def _mixed(trial: Mapping[str, Any]) -> bool:
    return bool(trial.get("mixed"))


def _public(trial: Mapping[str, Any]) -> bool:
    return bool(trial.get("public"))


def _name(trial: Mapping[str, Any]) -> str:
    weighting = " by examples" if trial["weighting"] == "examples" else ""
    kinds = f"{', mixed owners' if _mixed(trial) else ''}{', with the maintainer' if _public(trial) else ''}"
    return f"{trial['strategy']}{weighting}{kinds}"


def _figure(trial: Mapping[str, Any] | None, name: str) -> str:
    if trial is None:
        return ""
    return "failed" if "failed" in trial else f"{trial[name]:.4f}"


def _points(trial: Mapping[str, Any], other: Mapping[str, Any] | None) -> str:
    if other is None or other is trial or "failed" in trial or "failed" in other:
        return ""
    return f"{100 * (trial['auroc'] - other['auroc']):+.2f}"


def _passes(trial: Mapping[str, Any]) -> str:
    return "" if trial["strategy"] == "public-alone" else f"{trial['rounds'] * 0.16:.0f}"


def _influence(trial: Mapping[str, Any]) -> str:
    shares = list(trial.get("influence", {}).values())[: trial["attackers"]]
    return f"{sum(shares):.3f}" if shares else ""


def _rejected(trial: Mapping[str, Any]) -> str:
    counts = list(trial.get("rejected", {}).values())
    return f"{sum(counts[: trial['attackers']])} / {sum(counts[trial['attackers'] :])}"
