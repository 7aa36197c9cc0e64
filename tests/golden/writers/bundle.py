"""Primary, head, statements, calibration and bundle of version 1, and a picture with its first evidence."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from manyheads_shared.artifact import read_head, read_primary
from manyheads_shared.bundle import (
    BundleHead,
    BundleManifest,
    LeftOut,
)
from manyheads_shared.calibration import (
    Sources,
    build_calibration,
)
from manyheads_shared.compute import choose_compute
from manyheads_shared.decision import answer, decide
from manyheads_shared.digest import digest_bytes
from manyheads_shared.evidence import FailureRecord
from manyheads_shared.evidence_v1 import EvidenceRecordV1, HeadMeasurementV1, InstrumentV1, ItemExaminedV1, MeasurementV1
from manyheads_shared.image import decode_image
from manyheads_shared.keys import public_pem
from manyheads_shared.scoring import Scorer
from manyheads_shared.statements import (
    Bound,
    HubPredicate,
    OwnerPredicate,
    SourceResult,
    sign_hub_statement,
    sign_owner_statement,
)
from tests.golden.writers.parts import head_bytes, primary_bytes, signer, write_once
from tests.support.makers import NO_DIGEST, TIME, make_generator, make_images


def write_bundle(root: Path) -> None:
    """Write the parts of one small bundle, a picture, and what version 1 of the evidence said of it."""
    owner, hub, generator = signer(1), signer(2), make_generator("golden", "1", "ada")
    primary_file = primary_bytes("khoo2022-pixel", 32)
    primary = read_primary(primary_file)
    head_file = head_bytes(primary, generator)
    head = read_head(head_file, primary)
    share = Bound(share=0.975, lower=0.8680, upper=0.9987, hits=39, total=40)
    owner_statement = sign_owner_statement(
        head.digest, OwnerPredicate(generator=generator, primary=primary.digest, created=TIME), owner
    )
    hub_statement = sign_hub_statement(
        head.digest,
        HubPredicate(
            generator=generator,
            primary=primary.digest,
            suite=digest_bytes(b"suite"),
            scores=digest_bytes(b"scores"),
            policy=digest_bytes(b"policy"),
            threshold=0.125,
            recall=share,
            false_positives=(SourceResult(kind="real", source="photos", external=False, yes=share),),
            auroc=0.9875,
            contradiction=None,
            created=TIME,
        ),
        hub,
    )
    negatives: Sources = {("real", "photos"): np.linspace(-2, 0.25, 150, dtype=np.float32)}
    sides = negatives, np.linspace(0, 2, 60, dtype=np.float32)
    calibration = build_calibration(
        primary=primary.digest, suite=digest_bytes(b"suite"), detector=sides, heads={head.digest: sides}
    )
    bundle = BundleManifest.new(
        hub="golden-hub",
        sequence=7,
        created=TIME,
        primary=primary.digest,
        calibration=calibration.digest,
        heads=(
            BundleHead(
                generator=generator,
                head=head.digest,
                owner_key=owner.public_key.keyid,
                owner_statement=digest_bytes(owner_statement),
                hub_statement=digest_bytes(hub_statement),
            ),
        ),
        left_out=(LeftOut(generator=make_generator("old"), head=NO_DIGEST, state="yanked", reason="it claimed photographs"),),
        owner_keys={owner.public_key.keyid: public_pem(owner.public_key)},
        hub_key=public_pem(hub.public_key),
    )
    stream = BytesIO()
    Image.fromarray(make_images(1, size=40)[0][:36]).save(stream, "PNG")
    picture = stream.getvalue()
    decoded = decode_image(picture)
    logits = Scorer(primary, [head], choose_compute("cpu", "float32")).score([decoded.pixels])[0]
    bands = [calibration.detector, calibration.heads[head.digest]]
    verdict = decide(logits, bands[0], bands[1:], [generator.title])
    detector, claim = (
        MeasurementV1(logit=float(logit), low=band.low, high=band.high, answer=answer(float(logit), band))
        for logit, band in zip(logits, bands, strict=True)
    )
    evidence = EvidenceRecordV1.new(
        item=ItemExaminedV1(
            name="picture.png",
            digest=digest_bytes(picture),
            size_bytes=len(picture),
            file_format=decoded.file_format,
            width=decoded.pixels.shape[1],
            height=decoded.pixels.shape[0],
            mode=decoded.mode,
            resampled=True,
            notes=decoded.notes,
        ),
        instrument=InstrumentV1(
            hub="golden-hub",
            bundle=bundle.digest,
            bundle_sequence=7,
            primary=primary.digest,
            calibration=calibration.digest,
            metadata_expires=TIME,
            software="manyheads golden",
            decoder="Pillow",
            device="CPU",
            precision="float32",
            warnings=("the threshold of golden@1 rests on 150 images",),
        ),
        detector=detector,
        heads=(HeadMeasurementV1(generator=generator, head=head.digest, measurement=claim),),
        state=verdict.state,
        claimed_by=tuple(generator.title for _ in verdict.claimed_by),
        explanation=verdict.explanation,
        created=TIME,
    )
    failure = FailureRecord.new(
        name="animation.png", error="ImageError", reason="expected one picture, got an animation", created=TIME
    )
    files = {
        "primary.safetensors": primary_file,
        "primary-dct.safetensors": primary_bytes("khoo2022-dct", 16),
        "head.safetensors": head_file,
        "owner.statement.json": owner_statement,
        "hub.statement.json": hub_statement,
        "calibration.json": calibration.to_bytes(),
        "bundle.json": bundle.to_bytes(),
        "picture.png": picture,
        "evidence.json": evidence.to_bytes(),
        "failure.json": failure.to_bytes(),
    }
    write_once({root / "v1" / name: data for name, data in files.items()})
