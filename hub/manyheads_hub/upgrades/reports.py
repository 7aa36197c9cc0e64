"""Retention reports as the hub keeps them: blobs, signed by one of its evaluation keys."""

from manyheads_hub.hub import Hub
from manyheads_hub.signing.keyring import EVALUATION
from manyheads_shared.digest import Digest
from manyheads_shared.errors import SignatureError
from manyheads_shared.retention import RetentionReport, verify_retention


def read_report(hub: Hub, digest: Digest) -> RetentionReport:
    """Read a report that one of the hub's evaluation keys signed.

    Raises:
        SignatureError: none did.
    """
    data = hub.blobs.read(digest)
    for key in reversed(hub.keyring.public_keys(EVALUATION)):
        try:
            return verify_retention(data, key).report
        except SignatureError:
            continue
    raise SignatureError(f"expected retention report {digest} to be signed by one of the hub's evaluation keys")
