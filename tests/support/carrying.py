"""A bundle that carries a head over from an earlier primary, whole and signed; tests break it on purpose."""

from collections.abc import Sequence

from manyheads_shared.artifact import read_primary
from manyheads_shared.bundle import BundleManifest, Carried, CarryingManifest
from manyheads_shared.calibration import Calibration
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.passage import Way
from manyheads_shared.retention import (
    AreaResult,
    DetectorChange,
    Figures,
    Floor,
    HeadRetention,
    LossResult,
    RetentionReport,
    WayMeasured,
    sign_retention,
)
from manyheads_shared.statements import Bound
from tests.support.makers import NO_DIGEST, TIME, MadeBundle, make_bundle, make_primary_bytes

EARLIER = make_primary_bytes(seed=0)
LATER = make_primary_bytes(seed=9, name="later")
ALL = Bound(share=1.0, lower=0.9, upper=1.0, hits=40, total=40)
NONE = Bound(share=0.0, lower=0.0, upper=0.1, hits=0, total=40)


def make_figures(auroc: float = 0.99) -> Figures:
    area = AreaResult(value=auroc, lower=auroc - 0.01, upper=1.0)
    return Figures(threshold=0.5, recall=ALL, photographs=NONE, worst=None, auroc=area, contradiction=None)


def make_change(source: str = "old") -> DetectorChange:
    area = AreaResult(value=0.98, lower=0.97, upper=0.99)
    return DetectorChange(
        source=source, external=False, recall_before=ALL, recall=ALL, auroc_before=area, auroc=area, loss=make_loss(0.0)
    )


def make_loss(value: float = 0.005) -> LossResult:
    return LossResult(value=value, lower=value - 0.006, upper=value + 0.006)


def make_retention(bundle: BundleManifest, candidate: bytes = LATER, way: Way = "straight") -> RetentionReport:
    """A report that lets every head of a bundle be run one way on a later primary."""
    floor = Floor(code="retention", subject="", limit=0.8, found=1.0, met=True, message="all listed heads are compatible")
    return RetentionReport.new(
        hub=bundle.hub,
        candidate=digest_bytes(candidate),
        name="later",
        version="1",
        present=bundle.primary,
        suite=NO_DIGEST,
        policy=NO_DIGEST,
        max_loss=0.02,
        min_auroc=0.8,
        detector=(make_change(),),
        photographs=NONE,
        heads=tuple(
            HeadRetention(
                generator=entry.generator,
                head=entry.head,
                primary=bundle.primary,
                before=make_figures(),
                ways=(WayMeasured(way=way, figures=make_figures(0.985), loss=make_loss(), reasons=()),),
                compatibility="compatible",
                way=way,
            )
            for entry in bundle.heads
        ),
        floors=(floor,),
        created=TIME,
    )


def make_carrying_bundle(names: Sequence[str] = ("alpha", "beta"), *, way: Way = "straight") -> MadeBundle:
    """Heads of an earlier primary, all of them carried over."""
    made = make_bundle(names, primary_bytes=EARLIER)
    first, later = made.manifest, read_primary(LATER)
    calibration = Calibration.from_bytes(made.objects[first.calibration]).model_copy(update={"primary": later.digest})
    retention = sign_retention(make_retention(first, way=way), made.hub)

    def keep(data: bytes) -> Digest:
        made.objects[digest_bytes(data)] = data
        return digest_bytes(data)

    carried = tuple(Carried(head=entry.head, primary=first.primary, way=way, until=None) for entry in first.heads)
    fields = first.model_dump(exclude={"format", "primary", "calibration", "sequence"}, round_trip=True)
    made.manifest = CarryingManifest.new(
        **fields | {"heads": first.heads, "left_out": first.left_out},
        sequence=first.sequence + 1,
        primary=keep(LATER),
        calibration=keep(calibration.to_bytes()),
        retention=keep(retention),
        carried=carried,
    )
    del made.objects[first.calibration]
    return made
