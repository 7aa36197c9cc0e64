"""What a hub says of its heads, keys and changes."""

from pathlib import Path

from manyheads_hub.audit.chain import AuditEntry
from manyheads_hub.webhooks.outbox import Event
from manyheads_shared.digest import digest_bytes
from manyheads_shared.key_proof import sign_key_proof
from manyheads_shared.recall import BundleSpan, Recall
from tests.golden.writers.parts import signer, write_once
from tests.support.makers import NO_DIGEST, TIME, make_generator


def write_ledger(root: Path) -> None:
    """Write what a hub says of its heads, keys and changes."""
    generator, head = make_generator("golden", "1", "ada"), digest_bytes(b"golden head")
    entry = AuditEntry.new(
        sequence=1,
        time=TIME,
        actor="grace",
        token=7,
        action="head.yanked",
        subject="golden@1",
        reason="claims photographs of cats",
        details={"head": head},
        previous=NO_DIGEST,
    )
    recall = Recall.new(
        hub="golden-hub",
        generator=generator,
        head=head,
        state="yanked",
        reason="claims photographs of cats",
        since=TIME,
        owner_key=signer(1).public_key.keyid,
        owner_key_revoked=None,
        bundles=(BundleSpan(sequence=7, bundle=NO_DIGEST, latest_from=TIME, latest_until=None),),
        created=TIME,
    )
    files = {
        "audit.json": entry.to_bytes(),
        "event.json": Event.new(id="9ea740e3b03c170e", event=entry.action, entry_digest=entry.digest, entry=entry).to_bytes(),
        "recall.json": recall.to_bytes(),
        "key-proof.json": sign_key_proof(hub="golden-hub", owner="ada", key=signer(3), replaces=signer(1), created=TIME),
    }
    write_once({root / "v1" / name: data for name, data in files.items()})
