"""`manyheads diff-report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads_client.commands.options import JsonOption
from manyheads_shared.terminal import print_json, stdout

if TYPE_CHECKING:
    from manyheads_client.comparison import Difference, Said

SHOWN = 200  # images on a terminal; --json has all


def diff_report(
    old: Annotated[Path, typer.Argument(help="Records of the earlier scan.", show_default=False)],
    new: Annotated[Path, typer.Argument(help="Records of the later scan.", show_default=False)],
    *,
    json: JsonOption = False,
) -> None:
    """Compare two scans of the same images, such as before and after a new bundle: what changed, image by image.

    Images are matched by their files' sha256, whatever their names. Which heads came, went or were replaced is told too.

    Example: manyheads diff-report scan-7.jsonl scan-8.jsonl
    """
    from manyheads_client.comparison import compare_scans

    difference = compare_scans(old, new)
    if json:
        print_json(_as_json(difference))
    else:
        _print(difference)


def _print(difference: "Difference") -> None:
    from manyheads_client.listing import print_columns
    from manyheads_client.words import printable
    from manyheads_shared.decision import State

    both = difference.transitions.total()
    stdout.print(
        f"{both} images in both, {len(difference.changes)} of them changed; {len(difference.only_old)} only in the old scan, "
        f"{len(difference.only_new)} only in the new one. Bundles: {_listed(difference.old.bundles)} before, "
        f"{_listed(difference.new.bundles)} now.",
        soft_wrap=True,
    )
    for words, titles in (("came", difference.came), ("went", difference.went), ("replaced", difference.replaced)):
        stdout.print(f"heads that {'were ' if words == 'replaced' else ''}{words}: {_listed(titles)}", soft_wrap=True)
    stdout.print()
    occur = [state for state in State if any(state in pair for pair in difference.transitions)]
    rows = [("before \\ now", *(state.value for state in occur))]
    rows += [(a.value, *(str(difference.transitions[a, b] or "·") for b in occur)) for a in occur]
    print_columns(stdout, rows)
    stdout.print()
    for change in difference.changes[:SHOWN]:
        stdout.print(f"{printable(change.new.name)}  {_words(change.old)} -> {_words(change.new)}", soft_wrap=True)
    if (more := len(difference.changes) - SHOWN) > 0:
        stdout.print(f"and {more} more; --json has all", soft_wrap=True)


def _words(said: "Said") -> str:
    return f"{said.state.value} ({', '.join(said.claimed_by)})" if said.claimed_by else said.state.value


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "none"


def _as_json(difference: "Difference") -> dict[str, Any]:
    return {
        "both": difference.transitions.total(),
        "transitions": [{"old": a, "new": b, "images": n} for (a, b), n in difference.transitions.items()],
        "changes": [
            {"sha256": change.sha256, "old": vars(change.old), "new": vars(change.new)} for change in difference.changes
        ],
        "only_old": [vars(said) for said in difference.only_old],
        "only_new": [vars(said) for said in difference.only_new],
        "failed": {"old": difference.old.failed, "new": difference.new.failed},
        "bundles": {"old": difference.old.bundles, "new": difference.new.bundles},
        "heads": {"came": difference.came, "went": difference.went, "replaced": difference.replaced},
    }
