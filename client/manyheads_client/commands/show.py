"""`manyheads show`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads_client.commands.options import JsonOption, StoreOption
from manyheads_shared.digest import short
from manyheads_shared.terminal import print_json, stdout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manyheads_client.bundle import Bundle
    from manyheads_client.store import HeldBundle, Store
    from manyheads_shared.calibration import Band


def show(
    records: Annotated[
        Path | None, typer.Argument(help="A record file. Default: the current bundle.", show_default=False)
    ] = None,
    *,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show the current bundle, or the records of a scan.

    Example: manyheads show
    Example: manyheads show scan.jsonl
    """
    if records is not None:
        _show_records(records, json=json)
        return
    from manyheads_client.bundle import open_held
    from manyheads_client.store import Store, default_store

    chosen = Store(store or default_store())
    held = chosen.current()
    bundle = open_held(chosen, held)
    if json:
        print_json(_as_json(chosen, held, bundle))
    else:
        _print_bundle(chosen, held, bundle)


def _show_records(path: Path, *, json: bool) -> None:
    from manyheads_client.listing import print_records, print_summary, print_table
    from manyheads_client.records import read_latest

    if json:
        print_records(path)
        return
    summary = print_table(stdout, lambda: read_latest(path))
    stdout.print()
    print_summary(stdout, summary)


def _print_bundle(store: "Store", held: "HeldBundle", bundle: "Bundle") -> None:
    from manyheads_client.instrument import warn_of
    from manyheads_client.listing import print_columns
    from manyheads_client.words import decision_rule, printable, signed

    manifest, detector = bundle.verified.manifest, bundle.detector_band
    say = stdout.print
    say(
        f"Bundle {manifest.sequence} of hub {manifest.hub}, {short(held.bundle)}, published {manifest.created}",
        markup=False,
        soft_wrap=True,
    )
    say(
        f"{held.origin}, adopted {held.adopted}, {_confirmed(held)}, in {store.folder}",
        markup=False,
        soft_wrap=True,
    )
    primary = bundle.verified.primary.manifest
    say(
        f"primary {primary.name} {primary.version} ({primary.architecture}), {short(manifest.primary)}",
        markup=False,
        soft_wrap=True,
    )
    dates = ", ".join(f"{role} {expiry}" for role, expiry in (bundle.metadata.expires if bundle.metadata else {}).items())
    say(f"update metadata valid until: {dates}", markup=False, soft_wrap=True)
    for warning in warn_of(bundle):
        say(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    rows = [("generator", "level", "owner", "owner key", "no below", "yes from", "tested on", "recall there")]
    rows += [("detector", "", "", "", signed(detector.low), signed(detector.high), _tested(detector), "")]
    for head, band in zip(bundle.verified.heads, bundle.head_bands, strict=True):
        generator, recall = head.entry.generator, head.hub.predicate.recall
        key, found = head.entry.owner_key[:12], f"{100 * recall.share:.1f} % of {recall.total}"
        rows += [
            (generator.title, generator.level, generator.owner, key, signed(band.low), signed(band.high), _tested(band), found)
        ]
    say()
    print_columns(stdout, rows)
    say()
    for entry in manifest.left_out:
        say(f"left out: {entry.generator.title}, {entry.state}: {printable(entry.reason)}", markup=False, soft_wrap=True)
    for sentence in (*decision_rule(bundle.verified.calibration), *_worths(bundle)):
        say(sentence, markup=False, soft_wrap=True)


def _worths(bundle: "Bundle") -> "Iterator[str]":
    """What each network's scores are worth, and on what images that rests: as much as the calibration's version says."""
    from manyheads_client.words import sizes_tested, worth

    named = zip(("detector", *bundle.generators), (bundle.detector_evidence, *bundle.heads_evidence), strict=True)
    yield from (worth(name, evidence) for name, evidence in named if evidence)
    if bundle.sides:
        yield sizes_tested(bundle.sides)


def _confirmed(held: "HeldBundle") -> str:
    return f"last confirmed by its hub {held.verified}" if held.verified else "never confirmed by its hub from here"


def _tested(band: "Band") -> str:
    return f"{band.negatives} other, {band.positives} own"


def _as_json(store: "Store", held: "HeldBundle", bundle: "Bundle") -> dict[str, Any]:
    from manyheads_client.instrument import warn_of

    verified = bundle.verified
    return {
        "store": str(store.folder),
        "held": held.model_dump(mode="json"),
        "manifest": verified.manifest.model_dump(mode="json"),
        "primary": verified.primary.manifest.model_dump(mode="json"),
        "calibration": verified.calibration.model_dump(mode="json"),
        "expires": bundle.metadata.expires if bundle.metadata else {},
        "warnings": list(warn_of(bundle)),
        "history": [
            {
                "sequence": each.sequence,
                "bundle": each.bundle,
                "adopted": each.adopted,
                "verified": each.verified,
                "pack": each.pack,
            }
            for each in store.history()
        ],
    }
