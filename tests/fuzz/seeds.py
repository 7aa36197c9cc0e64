"""What mutation starts from: the golden files, the smaller hostile images, TUF metadata signed by the key of the targets."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from manyheads_shared.keys import public_pem
from tests.fuzz.targets import CANARY, GOLDEN, GOLDEN_HEAD, GOLDEN_PRIMARY, SIGNER, get_target, split_artifact
from tests.support import hostile

_EXPIRES = datetime(2100, 1, 1, tzinfo=UTC)
_DOCUMENTS = ("bundle.json", "calibration.json", "evidence.json", "failure.json", "recall.json")
_ENVELOPES = ("owner.statement.json", "hub.statement.json", "key-proof.json", "retention.json")


def seeds(target: str) -> list[bytes]:
    """The inputs that the mutation of a target's inputs starts from."""
    makers: dict[str, Callable[[], list[bytes]]] = {
        "image": _images,
        "artifact": _artifacts,
        "document": _documents,
        "statement": _statements,
        "metadata": _metadata,
        "records": _records,
        CANARY: lambda: [b"nothing"],
    }
    return [data for data in makers[target]() if len(data) <= get_target(target).max_bytes]


def _images() -> list[bytes]:
    return [case.data for case in hostile.cases()]


def _artifacts() -> list[bytes]:
    head, primary = GOLDEN_HEAD.read_bytes(), GOLDEN_PRIMARY.read_bytes()
    return [head, primary, split_artifact(head)[0], split_artifact(primary)[0]]


def _documents() -> list[bytes]:
    manifests = (
        json.loads(split_artifact(path.read_bytes())[0])["__metadata__"]["manyheads.manifest"].encode()
        for path in (GOLDEN_HEAD, GOLDEN_PRIMARY)
    )
    later = [(GOLDEN.parent / "v2" / name).read_bytes() for name in ("calibration.json", "bundle.json", "instrument.json")]
    rounds = [base64.b64decode(json.loads(line)["payload"]) for line in _federation()]
    return [*_golden(*_DOCUMENTS), *rounds, *manifests, *later]


def _statements() -> list[bytes]:
    envelopes = [*_golden(*_ENVELOPES), *_federation()]
    payloads = [base64.b64decode(json.loads(data)["payload"]) for data in envelopes]
    return [*envelopes, *payloads, public_pem(SIGNER.public_key).encode()]


def _metadata() -> list[bytes]:
    root = Root(expires=_EXPIRES, consistent_snapshot=True)
    for role in root.roles:
        root.add_key(SIGNER.public_key, role)
    later = Root(version=2, expires=_EXPIRES, keys=root.keys, roles=root.roles, consistent_snapshot=True)
    targets = Targets(expires=_EXPIRES, targets={"a": TargetFile.from_data("a", b"a", ["sha256"])})
    files = [_sign(root), _sign(later)]
    signed_targets = _sign(targets)
    signed_snapshot = _sign(
        Snapshot(expires=_EXPIRES, meta={"targets.json": MetaFile.from_data(1, signed_targets, ["sha256"])})
    )
    timestamp = Timestamp(expires=_EXPIRES, snapshot_meta=MetaFile.from_data(1, signed_snapshot, ["sha256"]))
    whole = [*files, _sign(timestamp), signed_snapshot, signed_targets]
    loose = [files[0], _sign(Timestamp(expires=_EXPIRES)), _sign(Snapshot(expires=_EXPIRES)), signed_targets]
    return [b"\n".join(whole), b"\n".join(loose)]


def _sign(signed: Root | Timestamp | Snapshot | Targets) -> bytes:
    metadata: Metadata[Any] = Metadata(signed)
    metadata.sign(SIGNER)
    return metadata.to_bytes()


def _records() -> list[bytes]:
    lines = _golden("evidence.json", "failure.json")
    return [b"\n".join([*lines, b""]), *(line + b"\n" for line in lines), b"\n".join(lines)]


def _federation() -> list[bytes]:
    """The lines of a federation's record."""
    return (GOLDEN / "federation.jsonl").read_bytes().splitlines()


def _golden(*names: str) -> list[bytes]:
    return [(GOLDEN / name).read_bytes() for name in names]
