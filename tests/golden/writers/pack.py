"""A pack: a bundle and the TUF metadata that vouches for it, in one file."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from manyheads_client.pack import PackIndex, write_pack
from manyheads_client.store import HeldMetadata
from manyheads_shared.bundle import (
    BUNDLE_TARGET,
    BundleManifest,
    object_target,
)
from manyheads_shared.calibration import (
    Sources,
    build_calibration,
)
from manyheads_shared.digest import digest_bytes
from manyheads_shared.keys import public_pem
from tests.golden.writers.parts import signer, write_once
from tests.support.makers import TIME


def write_golden_pack(folder: Path) -> None:
    """Write the golden primary without a head, its timestamp and snapshot past their dates."""
    late, long = datetime(2026, 1, 3, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
    keys = {role: signer(10 + i) for i, role in enumerate(("root", "targets", "snapshot", "timestamp"))}
    primary = (folder / "v1" / "primary.safetensors").read_bytes()
    photos: Sources = {("real", "photos"): np.linspace(-2, 0.25, 150, dtype=np.float32)}
    detector = photos, np.linspace(0, 2, 60, dtype=np.float32)
    calibration = build_calibration(
        primary=digest_bytes(primary), suite=digest_bytes(b"suite"), detector=detector, heads={}
    ).to_bytes()
    bundle = BundleManifest.new(
        hub="golden-hub",
        sequence=7,
        created=TIME,
        primary=digest_bytes(primary),
        calibration=digest_bytes(calibration),
        heads=(),
        left_out=(),
        owner_keys={},
        hub_key=public_pem(signer(2).public_key),
    ).to_bytes()
    root, targets = Root(expires=long, consistent_snapshot=True), Targets(version=7, expires=long)
    for role, key in keys.items():
        root.add_key(key.public_key, role)
    for path, data in (
        (BUNDLE_TARGET, bundle),
        (object_target(digest_bytes(primary)), primary),
        (object_target(digest_bytes(calibration)), calibration),
    ):
        targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])

    def sign(signed: Root | Targets | Snapshot | Timestamp) -> bytes:
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign(keys[signed.type])
        return metadata.to_bytes()

    signed_targets = sign(targets)
    snapshot = sign(Snapshot(version=8, expires=late, meta={"targets.json": MetaFile.from_data(7, signed_targets, ["sha256"])}))
    timestamp = sign(Timestamp(version=9, expires=late, snapshot_meta=MetaFile.from_data(8, snapshot, ["sha256"])))
    objects = {
        digest_bytes(data): data for data in (sign(root), timestamp, snapshot, signed_targets, bundle, primary, calibration)
    }
    metadata = HeldMetadata(
        roots=(digest_bytes(sign(root)),),
        timestamp=digest_bytes(timestamp),
        snapshot=digest_bytes(snapshot),
        targets=digest_bytes(signed_targets),
    )
    index = PackIndex.new(bundle=digest_bytes(bundle), metadata=metadata)
    stream = BytesIO()
    write_pack(stream, index, objects, lambda digest: BytesIO(objects[digest]))
    write_once({folder / "v1" / "pack.tar": stream.getvalue()})
