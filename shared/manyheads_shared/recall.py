"""A recall: which bundles held a head, and when each was the newest. What a laboratory finds its touched reports by.

Specification: docs/formats/recall.md.
"""

from typing import ClassVar

from manyheads_shared.api import HeadState
from manyheads_shared.bundle import KeyId
from manyheads_shared.document import Document, Ordinal, Value
from manyheads_shared.manifest import DigestField, Generator, Name, Time


class BundleSpan(Value):
    """A bundle that held the head, and how long clients that pulled got it."""

    sequence: Ordinal
    bundle: DigestField  # what reports cite
    latest_from: Time
    latest_until: Time | None  # None: it still is the newest


class Recall(Document):
    """A head, what became of it and why, and every bundle that held it."""

    FORMAT: ClassVar[str] = "manyheads.recall/1"

    hub: Name
    generator: Generator
    head: DigestField
    state: HeadState
    reason: str | None
    since: Time | None  # of the state; None: since before the hub kept an audit log, or since its acceptance
    owner_key: KeyId  # that vouched for it
    owner_key_revoked: Time | None
    bundles: tuple[BundleSpan, ...]  # oldest first
    created: Time
