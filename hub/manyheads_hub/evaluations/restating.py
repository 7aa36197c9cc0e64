"""The hub's statements after a new evaluation key: signed again, word for word, because a bundle carries one such key."""

from collections.abc import Sequence

from securesystemslib.signer import SSlibKey
from sqlalchemy import select

from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.signing.keyring import EVALUATION
from manyheads_hub.tables import HeadRow, PrimaryRow
from manyheads_shared.digest import Digest
from manyheads_shared.errors import SignatureError
from manyheads_shared.retention import sign_retention, verify_retention
from manyheads_shared.statements import sign_hub_statement, verify_hub_statement


def sign_statements_again(hub: Hub) -> int:
    """Sign what an earlier evaluation key signed of listed heads, and of how the present primary came to be; return how many.

    Statements and reports in earlier bundles stay as they are: those bundles carry the key that signed them.

    Raises:
        MissingKeysError: an evaluation key is not here.
        SignatureError: none of the hub's evaluation keys, earlier ones included, signed a statement.
    """
    newest, *earlier = reversed(hub.keyring.public_keys(EVALUATION))
    if not earlier:
        return 0
    with hub.database.read() as session:
        listed = session.execute(select(HeadRow.digest, HeadRow.hub_statement).where(HeadRow.state == "listed")).all()
    done = 0
    for head, digest in listed:
        statement = hub.blobs.read(digest)
        if (key := _find_signer(statement, head, [newest, *earlier])) == newest:
            continue
        predicate = verify_hub_statement(statement, head, key).predicate
        again = hub.blobs.put(sign_hub_statement(head, predicate, hub.keyring.evaluation_signer()))
        with hub.database.write() as session:
            session.get_one(HeadRow, head).hub_statement = again
        done += 1
    return done + _sign_report_again(hub, [newest, *earlier])


def _sign_report_again(hub: Hub, keys: Sequence[SSlibKey]) -> int:
    """Sign the retention report that the next bundle's primary was promoted by, where an earlier key did."""
    with hub.database.read() as session:
        row = primaries.newest(session)
    if row is None or row.retention is None:
        return 0
    data = hub.blobs.read(row.retention)
    for key in keys:
        try:
            report = verify_retention(data, key).report
        except SignatureError:
            continue
        if key == keys[0]:
            return 0
        again = hub.blobs.put(sign_retention(report, hub.keyring.evaluation_signer()))
        with hub.database.write() as session:
            session.get_one(PrimaryRow, row.id).retention = again
        return 1
    raise SignatureError(f"expected the retention report on primary {row.name}@{row.version} to be signed by a key of this hub")


def _find_signer(statement: bytes, head: Digest, keys: list[SSlibKey]) -> SSlibKey:
    for key in keys:
        try:
            verify_hub_statement(statement, head, key)
        except SignatureError:
            continue
        return key
    raise SignatureError(
        f"expected the statement on {head} to be signed by one of the hub's evaluation keys; restore keys/online"
    )
