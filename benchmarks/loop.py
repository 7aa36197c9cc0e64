"""The whole loop on real images: `python -m benchmarks.loop [faces64] [faces128]`.

Runs the demo's driver on the sets beside the project (../shared/data, see its README) and commits what came of it to
`benchmarks/results/loop-SET.{json,md}`. The images are not part of the project: without them this says so and stops.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_shared import clock
from manyheads_shared.files import write_atomic

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
SETS: dict[str, tuple[str, ...]] = {
    "faces64": ("--group-by", r"latent(\d+)"),  # the same latents recur over fourteen epochs
    "faces128": (),
}


def main(arguments: Sequence[str]) -> int:
    """Run the sets named, or all."""
    names = arguments or tuple(SETS)
    unknown = [name for name in names if name not in SETS]
    if unknown:
        print(f"expected {' or '.join(SETS)}, got {', '.join(unknown)}", file=sys.stderr)
        return 2
    if not DATA.is_dir():
        print(f"skipped: the real images are not part of the project; expected them in {os.path.relpath(DATA)}")
        return 0
    for name in names:
        run_set(name)
    return 0


def run_set(name: str) -> None:
    """Run the loop on one set and write its results."""
    work = HERE.parent / "runs" / f"loop-{name}"
    options = ["--data", os.path.relpath(DATA / name), *SETS[name], "--out", os.path.relpath(work)]
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "deploy.demo", *options], check=True, cwd=HERE.parent)
    seconds = json.loads((work / "logs" / "seconds.json").read_bytes())
    value = {
        "set": name,
        "command": shlex.join(["python", "-m", "deploy.demo", *options]),
        "date": clock.now()[:10],
        "hardware": hardware(),
        "seconds_this_time": round(time.monotonic() - started),
        "seconds_of_all_commands": round(sum(seconds.values())),
        "seconds": seconds,
        "recipe": (work / "hub" / "run" / "recipe.toml").read_text(),
        "results": json.loads((work / "results.json").read_bytes()),
    }
    write_atomic(HERE / "results" / f"loop-{name}.json", (json.dumps(value, indent=1) + "\n").encode())
    write_atomic(HERE / "results" / f"loop-{name}.md", render(value).encode())


def render(value: Mapping[str, Any]) -> str:
    """The results as a page of Markdown."""
    results = value["results"]
    detector, heads = results["detector"], results["heads"]
    lines = [
        f"# The loop on {value['set']}",
        "",
        f"`{value['command']}`",
        "",
        f"{value['date']}; {value['hardware']}; all commands together {value['seconds_of_all_commands']} s.",
        "",
        "Shares are in percent, with 95 % intervals that take images as independent. Files of one latent are not: where a",
        "source has few latents (see the data's README) its intervals are too narrow.",
        "",
        "## Detector and heads on test images nobody trained on (threshold 0.5), and the hub's gate",
        "",
        *markdown_table(
            ("network", "F1", "precision", "recall", "AUROC", "gate", "recall at the hub", "audit of its data"),
            [
                ("detector", *_figures(detector), "", "", ""),
                *(
                    (f"head {h['generator']}", *_figures(h["own"]), h["decision"], _share(h["hub_recall"]), h["audit"])
                    for h in heads
                ),
            ],
        ),
        "",
        *(f"- {head['generator']} {head['decision']}: {reason}" for head in heads for reason in head["reasons"]),
        "",
        "## Who says yes to what (threshold 0.5; external sources were never trained on)",
        "",
        *_yes_table(detector, heads),
        "",
        "## The hub's suite: share claimed at the gate's threshold",
        "",
        *_claims_table(heads),
        "",
        "## Verdicts of the client on images nobody trained or calibrated on",
        "",
        *_verdict_table(results["verdicts"]),
        "",
    ]
    return "\n".join(lines)


def summary_table(value: Mapping[str, Any]) -> list[str]:
    """The few figures that README quotes of one set."""
    results = value["results"]
    rows = [("detector", *_figures(results["detector"])[::3], "", "")]
    rows += [
        (f"head {head['generator']}", *_figures(head["own"])[::3], head["decision"], _share(head["hub_recall"]))
        for head in results["heads"]
    ]
    columns = (value["set"], "F1 at 0.5", "AUROC", "the hub's gate", "recall at the hub's threshold")
    return markdown_table(columns, rows)


def _yes_table(detector: Mapping[str, Any], heads: Sequence[Mapping[str, Any]]) -> list[str]:
    sources = sorted({*detector["sources"], *(source for head in heads for source in head["own"]["sources"])})
    rows = [
        (source, _share(detector["sources"].get(source)), *(_share(head["own"]["sources"].get(source)) for head in heads))
        for source in sources
    ]
    return markdown_table(("source", "detector", *(head["generator"] for head in heads)), rows)


def _claims_table(heads: Sequence[Mapping[str, Any]]) -> list[str]:
    sources = sorted({source for head in heads for source in head["hub_claims"]})
    rows = [(source, *(_share(head["hub_claims"].get(source)) for head in heads)) for source in sources]
    return markdown_table(("source", *(head["generator"] for head in heads)), rows)


def _verdict_table(verdicts: Mapping[str, Mapping[str, int]]) -> list[str]:
    outcomes = list(dict.fromkeys(outcome for row in verdicts.values() for outcome in row))
    rows = [(source, sum(row.values()), *(row.get(name, "") for name in outcomes)) for source, row in verdicts.items()]
    return markdown_table(("source", "images", *outcomes), rows)


def _figures(value: Mapping[str, Any]) -> tuple[str, str, str, str]:
    auroc = "" if value["auroc"] is None else f"{value['auroc']:.4f}"
    return _share(value["f1"]), _share(value["precision"]), _share(value["recall"]), auroc


def _share(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return ""
    return f"{100 * value['hits'] / value['total']:.1f} [{100 * value['lower']:.1f}, {100 * value['upper']:.1f}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
