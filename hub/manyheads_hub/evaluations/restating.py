"""The hub's statements after a new evaluation key: signed again, word for word, because a bundle carries one such key."""

from securesystemslib.signer import SSlibKey
from sqlalchemy import select

from manyheads_hub.hub import Hub
from manyheads_hub.signing.keyring import EVALUATION
from manyheads_hub.tables import HeadRow
from manyheads_shared.digest import Digest
from manyheads_shared.errors import SignatureError
from manyheads_shared.statements import sign_hub_statement, verify_hub_statement


def sign_statements_again(hub: Hub) -> int:
    """Sign the statements on listed heads that an earlier evaluation key signed; return how many.

    Statements in earlier bundles stay as they are: those bundles carry the key that signed them.

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
    return done


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
