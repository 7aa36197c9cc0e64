"""Verifying a whole store: each object against its name, each adopted bundle from the trusted root down. Repairs nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from manyheads_client.bundle import open_held
from manyheads_client.store import HeldBundle, Store
from manyheads_shared.clock import write_time
from manyheads_shared.digest import Digest, digest_file
from manyheads_shared.errors import ManyheadsError


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    subject: str
    holds: bool
    detail: str


def check_store(store: Store) -> Iterator[Finding]:
    """Check a store, yielding findings as they are made.

    The plan: (1) every object has the digest it is named by; (2) every adopted bundle verifies from the trusted root down, with
    both statements of every head; (3) the dates of the current bundle's metadata, stated, not judged.

    Raises:
        NoBundleError: nothing was pulled yet.
    """
    current = store.current()
    # step 1
    yield from _check_objects(store)
    # step 2
    for held in store.history():
        yield _check_bundle(store, held, is_current=held == current)
    # step 3
    yield from _state_dates(store, current)


def _check_objects(store: Store) -> Iterator[Finding]:
    paths = store.objects()
    damaged = [path for path in paths if digest_file(path) != Digest("sha256:" + path.name)]
    for path in damaged:
        yield Finding(
            f"object {path.name}", holds=False, detail="its content has another digest; `manyheads pull` fetches it again"
        )
    yield Finding(
        "objects", holds=not damaged, detail=f"{len(paths) - len(damaged)} of {len(paths)} have the digest they are named by"
    )


def _check_bundle(store: Store, held: HeldBundle, *, is_current: bool) -> Finding:
    subject = f"bundle {held.sequence}" + (" (current)" if is_current else "")
    try:
        bundle = open_held(store, held)
    except ManyheadsError as error:
        return Finding(subject, holds=False, detail=f"{type(error).__name__}: {error}")
    heads = len(bundle.generators)
    return Finding(
        subject, holds=True, detail=f"root to manifest signed; primary, calibration and {heads} heads with both statements"
    )


def _state_dates(store: Store, held: HeldBundle) -> Iterator[Finding]:
    try:
        expires = open_held(store, held).expires
    except ManyheadsError:
        return  # said above
    moment = datetime.now(UTC)
    for role, expiry in (expires or {}).items():
        past = "expired" if moment >= expiry else "valid until"
        yield Finding(f"{role} metadata", holds=True, detail=f"{past} {write_time(expiry)}")
