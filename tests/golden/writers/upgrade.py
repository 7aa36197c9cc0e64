"""What carries a head over to another primary."""

from pathlib import Path

from manyheads_shared.bundle import (
    BundleManifest,
    Carried,
    CarryingManifest,
)
from manyheads_shared.calibration import (
    Calibration,
)
from manyheads_shared.digest import digest_bytes
from manyheads_shared.retention import sign_retention
from tests.golden.writers.parts import primary_bytes, signer, write_once
from tests.support.carrying import make_retention
from tests.support.evidence import make_carrying_instrument


def write_upgrade(root: Path) -> None:
    """Write the bundle that carries the golden head over to another primary, its report and an instrument with it."""
    first = BundleManifest.from_bytes((root / "v1" / "bundle.json").read_bytes())
    hub, calibration = signer(2), Calibration.from_bytes((root / "v1" / "calibration.json").read_bytes())
    later = primary_bytes("khoo2022-pixel", 32, seed=2026)
    moved = calibration.model_copy(update={"primary": digest_bytes(later)})
    report = sign_retention(make_retention(first, later), hub)
    carried = Carried(head=first.heads[0].head, primary=first.primary, way="straight", until=None)
    fields = {name: getattr(first, name) for name in BundleManifest.model_fields if name not in ("format", "sequence")}
    fields |= {"primary": digest_bytes(later), "calibration": moved.digest, "retention": digest_bytes(report)}
    bundle = CarryingManifest.new(**fields, sequence=8, carried=(carried,))
    write_once(
        {
            root / "v1" / "retention.json": report,
            root / "v2" / "later-primary.safetensors": later,
            root / "v2" / "later-calibration.json": moved.to_bytes(),
            root / "v2" / "bundle.json": bundle.to_bytes(),
            root / "v2" / "instrument.json": make_carrying_instrument().to_bytes(),
        }
    )
