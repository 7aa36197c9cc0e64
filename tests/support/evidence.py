"""A small evidence record and its instrument, every field filled, for tests and golden files."""

from typing import Any

from manyheads_shared.bundle import LeftOut
from manyheads_shared.calibration import Band, Reach, Sides
from manyheads_shared.condition import Condition, Stratum, Usual
from manyheads_shared.decision import Answer, State
from manyheads_shared.digest import digest_bytes
from manyheads_shared.evidence import (
    CalibrationUsed,
    CarriedUsed,
    CarryingInstrument,
    Credentials,
    EvidenceRecord,
    HeadUsed,
    Instrument,
    ItemExamined,
    PrimaryUsed,
    Result,
    Standing,
    Trial,
    UpdateMetadata,
)
from manyheads_shared.retention import AreaResult, LossResult
from manyheads_shared.rungs import Rung
from manyheads_shared.statements import Bound, SourceResult
from tests.support.makers import NO_DIGEST, TIME, make_generator

ROLES = ("root", "timestamp", "snapshot", "targets")
BAND = Band(low=-0.5, high=1.75, negatives=150, positives=60, resolved=True)
RECALL = Bound(share=0.975, lower=0.868, upper=0.9987, hits=39, total=40)
CLAIMED = Bound(share=0.0, lower=0.0, upper=0.0881, hits=0, total=40)
WORST = SourceResult(kind="generated", source="old", external=False, yes=CLAIMED)
USUAL = Usual(jpeg=95, scale=0.35, blur=1.2, noise=2.5)
REACH = Reach(ladder="jpeg", strength=90.0, recall=RECALL, real=CLAIMED, worst=WORST, valid=True)


def make_instrument(**change: Any) -> Instrument:
    standing = Standing(band=BAND, cap=2.179, validated=(Rung("jpeg", 75), Rung("noise", 2)))
    head = HeadUsed(
        generator=make_generator("golden"),
        head=digest_bytes(b"head"),
        owner_key="ab" * 32,
        owner_statement=digest_bytes(b"owner"),
        hub_statement=digest_bytes(b"hub"),
        recall=RECALL,
        worst=WORST,
        auroc=0.99,
        standing=standing,
    )
    fields: dict[str, Any] = {
        "hub": "golden-hub",
        "bundle": digest_bytes(b"bundle"),
        "bundle_sequence": 7,
        "bundle_created": TIME,
        "metadata": UpdateMetadata(versions=dict.fromkeys(ROLES, 3), expires=dict.fromkeys(ROLES, TIME), confirmed=TIME),
        "primary": PrimaryUsed(digest=NO_DIGEST, name="tiny", version="1", architecture="khoo2022-pixel", image_size=32),
        "calibration": CalibrationUsed(
            digest=digest_bytes(b"calibration"),
            suite=digest_bytes(b"suite"),
            detector_alpha=0.01,
            heads_alpha=0.01,
            miss_alpha=0.05,
            sides=Sides(shortest=32, longest=1024),
            usual=USUAL,
        ),
        "detector": standing,
        "heads": (head,),
        "left_out": (
            LeftOut(generator=make_generator("old"), head=NO_DIGEST, state="yanked", reason="it claimed photographs"),
        ),
        "software": "manyheads golden",
        "decoder": "Pillow",
        "device": "CPU",
        "executor": "heads folded",
        "precision": "float32",
        "rule": ("A score at or above a network's upper threshold means yes.",),
        "limits": ("Results relate only to the files listed.",),
        "warnings": ("The threshold of golden@1 rests on 150 images.",),
    }
    return Instrument.new(**(fields | change))


def make_carrying_instrument(**change: Any) -> CarryingInstrument:
    """The same bundle, its head carried over from an earlier primary."""
    fields = {name: getattr(make_instrument(), name) for name in Instrument.model_fields if name != "format"}
    carried = CarriedUsed(
        head=digest_bytes(b"head"),
        primary=PrimaryUsed(
            digest=digest_bytes(b"earlier"), name="tiny", version="0", architecture="khoo2022-pixel", image_size=32
        ),
        way="straight",
        until=None,
        recall=RECALL,
        auroc=AreaResult(value=0.985, lower=0.975, upper=0.995),
        loss=LossResult(value=0.005, lower=-0.001, upper=0.011),
    )
    return CarryingInstrument.new(**fields | {"retention": digest_bytes(b"retention"), "carried": (carried,)} | change)


def make_record(**change: Any) -> EvidenceRecord:
    data = b"a file"
    item = ItemExamined(
        name="scène.jpg",
        sha256=digest_bytes(data),
        sha512="cd" * 64,
        pixels=digest_bytes(b"RGB 32 32"),
        size_bytes=len(data),
        file_format="JPEG",
        width=32,
        height=32,
        mode="RGB",
        resampled=False,
        exif={"Make": "Golden", "ExposureTime": "1/60"},
        quantisation=(tuple(range(1, 65)),),
        credentials=Credentials(
            reader="c2pa golden",
            manifest="urn:c2pa:golden",
            valid=True,
            trusted=False,
            signer="Golden Camera",
            made_with="golden/1.0",
            signed=TIME,
            sources=("digitalCapture",),
            generated=False,
            findings=("signingCredential.untrusted",),
        ),
        notes=("turned upright by EXIF orientation 6",),
    )
    fields: dict[str, Any] = {
        "item": item,
        "instrument": make_instrument().digest,
        "condition": Condition(width=32, height=32, jpeg_quality=92, jpeg_from="tables", blur=0.0, noise=0.4, scale=1.0),
        "strata": (Stratum("jpeg", 92, Rung("jpeg", 90)),),
        "detector": Result(logit=3.5, answer=Answer.YES, log10_ratio=1.6, lower=1.0, upper=None, valid=True, reach=REACH),
        "heads": (Result(logit=2.25, answer=Answer.YES, log10_ratio=1.6, lower=1.0, upper=None, valid=True, reach=REACH),),
        "scores_say": State.ATTRIBUTED,
        "trials": (Trial(change="saved as JPEG of quality 90", state=State.UNATTRIBUTED, claimed_by=()),),
        "doubts": ("The verdict does not survive mild changes of the image.",),
        "state": State.INCONCLUSIVE,
        "claimed_by": ("golden@1",),
        "explanation": "By the scores alone the image would be attributed.",
        "created": TIME,
    }
    return EvidenceRecord.new(**(fields | change))
