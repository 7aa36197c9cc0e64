"""Verifying a whole store: each object against its name, each adopted bundle from the trusted root down. Repairs nothing.

What can be repaired is said with each finding: a pull fetches again what the current bundle needs, and importing its pack again
brings it back. No hub serves the files of an earlier bundle any more, so one that lost a file of its own can no longer be
proven, and only its record can go.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from manyheads_client.bundle import open_held
from manyheads_client.store import HeldBundle, Store
from manyheads_shared.bundle import read_manifest
from manyheads_shared.clock import read_time
from manyheads_shared.digest import Digest, digest_file
from manyheads_shared.errors import ManyheadsError


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    subject: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class _Adopted:
    """An adopted bundle and the objects it needs, as far as its manifest still tells."""

    held: HeldBundle
    needs: frozenset[Digest]


def check_store(store: Store) -> Iterator[Finding]:
    """Check a store, yielding findings as they are made.

    The plan: (1) every object has the digest it is named by; (2) every adopted bundle verifies from the trusted root down, with
    both statements of every head; (3) the dates of the current bundle's metadata, stated, not judged.

    Raises:
        NoBundleError: nothing was pulled or imported yet.
    """
    store.current()
    history = [_Adopted(held, _needs(store, held)) for held in store.history()]
    current = history[-1]
    # step 1
    yield from _check_objects(store, history)
    # step 2
    for adopted in history:
        yield _check_bundle(store, adopted, current)
    # step 3
    yield from _state_dates(store, current.held)


def _check_objects(store: Store, history: Sequence[_Adopted]) -> Iterator[Finding]:
    paths = store.objects()
    damaged = [path for path in paths if digest_file(path) != Digest("sha256:" + path.name)]
    for path in damaged:
        detail = f"its content has another digest; {_advise(Digest('sha256:' + path.name), history)}"
        yield Finding(f"object {path.name}", holds=False, detail=detail)
    yield Finding(
        "objects", holds=not damaged, detail=f"{len(paths) - len(damaged)} of {len(paths)} have the digest they are named by"
    )


def _advise(digest: Digest, history: Sequence[_Adopted]) -> str:
    """What to do about a damaged object."""
    *earlier, current = history
    if digest in current.needs:
        return _repair(current.held)
    losers = [str(adopted.held.sequence) for adopted in earlier if digest in adopted.needs]
    if losers:
        return f"only bundle {', '.join(losers)} needs it, and no hub serves it any more: see there, and remove this file"
    return "no bundle here is known to need it: remove this file"


def _check_bundle(store: Store, adopted: _Adopted, current: _Adopted) -> Finding:
    held = adopted.held
    subject = f"bundle {held.sequence}" + (" (current)" if adopted is current else "")
    try:
        bundle = open_held(store, held)
    except ManyheadsError as error:
        detail = f"{type(error).__name__}: {error}"
        lost = [digest for digest in sorted(adopted.needs - current.needs) if not store.holds(digest)]
        if lost:
            detail += (
                f" Bundle {held.sequence} can no longer be proven: no hub serves {lost[0]} any more. To go on without it, "
                f"remove {store.record_path(held)}."
            )
        elif adopted is not current and not all(map(store.holds, adopted.needs)):
            detail += f" The current bundle needs the same file: {_repair(current.held)}."
        return Finding(subject, holds=False, detail=detail)
    heads = len(bundle.generators)
    return Finding(
        subject,
        holds=True,
        detail=f"root to manifest signed; primary, calibration and {heads} heads with both statements; {held.origin}",
    )


def _repair(current: HeldBundle) -> str:
    """How a file that the current bundle needs comes back."""
    return "importing its pack again brings it back" if current.pack else "`manyheads pull` fetches it again"


def _needs(store: Store, held: HeldBundle) -> frozenset[Digest]:
    known = {held.bundle, *held.metadata.object_digests()}
    with suppress(ManyheadsError):  # said by the check of the bundle
        known.update(read_manifest(store.read_object(held.bundle)).object_digests())
    return frozenset(known)


def _state_dates(store: Store, held: HeldBundle) -> Iterator[Finding]:
    try:
        metadata = open_held(store, held).metadata
    except ManyheadsError:
        return  # said above
    moment = datetime.now(UTC)
    for role, expiry in (metadata.expires if metadata else {}).items():
        past = "expired" if moment >= read_time(expiry) else "valid until"
        yield Finding(f"{role} metadata", holds=True, detail=f"{past} {expiry}")
