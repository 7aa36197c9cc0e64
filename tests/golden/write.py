"""Write the golden files of a format version, once: `python -m tests.golden.write v3`. It never overwrites.

The tests beside read the files for ever; they never write them. A new major version of a format gets a folder of its own.
"""

import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from PIL import Image
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from manyheads_client.custody import CustodyEntry
from manyheads_client.pack import PackIndex, write_pack
from manyheads_client.saliency.arrays import write_saliency
from manyheads_client.store import HeldMetadata
from manyheads_hub.audit.chain import AuditEntry
from manyheads_hub.webhooks.outbox import Event
from manyheads_shared.artifact import PrimaryArtifact, Tensors, read_head, read_primary, write_head, write_primary
from manyheads_shared.bundle import (
    BUNDLE_TARGET,
    BundleHead,
    BundleManifest,
    Carried,
    CarryingManifest,
    LeftOut,
    object_target,
)
from manyheads_shared.calibration import (
    BoundedCalibration,
    BoundedEvidence,
    Calibration,
    Evidence,
    FullCalibration,
    Reach,
    Sides,
    Sources,
    build_calibration,
    fit_thresholds,
)
from manyheads_shared.chain import GENESIS
from manyheads_shared.compute import choose_compute
from manyheads_shared.condition import Usual
from manyheads_shared.decision import answer, decide
from manyheads_shared.digest import digest_bytes
from manyheads_shared.evidence import Examined, FailureRecord
from manyheads_shared.evidence_v1 import EvidenceRecordV1, HeadMeasurementV1, InstrumentV1, ItemExaminedV1, MeasurementV1
from manyheads_shared.federation.plan import Party, Plan, TrustingPlan
from manyheads_shared.federation.record import (
    Measurement,
    Opening,
    Outcome,
    PartyMeasurement,
    PartyRound,
    Round,
    State,
    sign_line,
)
from manyheads_shared.image import decode_image
from manyheads_shared.key_proof import sign_key_proof
from manyheads_shared.keys import public_pem
from manyheads_shared.lanes import measure_probe
from manyheads_shared.likelihood import fit_likelihood
from manyheads_shared.manifest import Generator, Preprocessing
from manyheads_shared.networks import load_primary
from manyheads_shared.preprocess import Preprocessor
from manyheads_shared.ratio_bounds import bound_ratio
from manyheads_shared.recall import BundleSpan, Recall
from manyheads_shared.retention import sign_retention
from manyheads_shared.scoring import Scorer
from manyheads_shared.seal import CustodyHead, Seal, sign_seal
from manyheads_shared.statements import (
    Bound,
    HubPredicate,
    OwnerPredicate,
    SourceResult,
    sign_hub_statement,
    sign_owner_statement,
)
from tests.support.carrying import make_retention
from tests.support.evidence import make_carrying_instrument, make_instrument, make_record
from tests.support.makers import NO_DIGEST, TIME, make_generator, make_head, make_images, make_primary

FOLDER = Path(__file__).parent


def _signer(byte: int) -> CryptoSigner:
    """A key that anyone can make again: it protects nothing."""
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes([byte]) * 32))


def _awake(tensors: Tensors) -> dict[str, NDArray[np.float32]]:
    """Weights of a size that features survive, as after training (He et al. 2015)."""
    return {
        name: tensor * np.float32(np.sqrt(2 / tensor[0].size) / 0.02) if tensor.ndim in (2, 4) and "weight" in name else tensor
        for name, tensor in tensors.items()
    }


def _primary_bytes(architecture: str, size: int, seed: int = 2022) -> bytes:
    asleep = make_primary(architecture, seed=seed, size=size)
    awake = read_primary(write_primary(asleep.manifest, _awake(asleep.tensors)))
    probe = measure_probe(load_primary(awake), Preprocessor.of(awake), choose_compute("cpu", "float32"))
    return write_primary(awake.manifest.model_copy(update={"probe": probe}), awake.tensors)


def _head_bytes(primary: PrimaryArtifact, generator: Generator) -> bytes:
    asleep = make_head(primary, generator)
    return write_head(asleep.manifest, _awake(asleep.tensors), primary)


def write(folder: Path) -> None:
    """Write every format once, the parts of one small bundle.

    Raises:
        FileExistsError: the folder is there; golden files are never written again.
    """
    folder.mkdir(parents=True)
    owner, hub, generator = _signer(1), _signer(2), make_generator("golden", "1", "ada")
    (folder / "primary-dct.safetensors").write_bytes(_primary_bytes("khoo2022-dct", 16))
    primary_bytes = _primary_bytes("khoo2022-pixel", 32)
    primary = read_primary(primary_bytes)
    head_bytes = _head_bytes(primary, generator)
    head = read_head(head_bytes, primary)
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
    Image.fromarray(make_images(1, size=40)[0][:36]).save(folder / "picture.png")
    picture = (folder / "picture.png").read_bytes()
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
    for name, data in {
        "primary.safetensors": primary_bytes,
        "head.safetensors": head_bytes,
        "owner.statement.json": owner_statement,
        "hub.statement.json": hub_statement,
        "calibration.json": calibration.to_bytes(),
        "bundle.json": bundle.to_bytes(),
        "evidence.json": evidence.to_bytes(),
        "failure.json": failure.to_bytes(),
    }.items():
        (folder / name).write_bytes(data)
    write_ledger(folder)
    write_golden_pack(folder)
    write_golden_case(folder)
    write_golden_federation(folder)


def write_ledger(folder: Path) -> None:
    """Write what a hub says of its heads, keys and changes; each once."""
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
        owner_key=_signer(1).public_key.keyid,
        owner_key_revoked=None,
        bundles=(BundleSpan(sequence=7, bundle=NO_DIGEST, latest_from=TIME, latest_until=None),),
        created=TIME,
    )
    for name, data in {
        "audit.json": entry.to_bytes(),
        "event.json": Event.new(id="9ea740e3b03c170e", event=entry.action, entry_digest=entry.digest, entry=entry).to_bytes(),
        "recall.json": recall.to_bytes(),
        "key-proof.json": sign_key_proof(hub="golden-hub", owner="ada", key=_signer(3), replaces=_signer(1), created=TIME),
    }.items():
        with (folder / name).open("xb") as stream:
            stream.write(data)


def write_v2(folder: Path) -> None:
    """Write what version 2 added: a calibration that says what the scores are worth.

    Raises:
        FileExistsError: the folder is there; golden files are never written again.
    """
    folder.mkdir(parents=True)
    first = Calibration.from_bytes((FOLDER / "v1" / "calibration.json").read_bytes())
    real, own = np.linspace(-2, 0.25, 150, dtype=np.float32), np.linspace(0, 2, 60, dtype=np.float32)
    share = Bound(share=0.975, lower=0.8680, upper=0.9987, hits=39, total=40)
    none = Bound(share=0.0, lower=0.0, upper=0.0881, hits=0, total=40)
    rung = Reach(ladder="jpeg", strength=75.0, recall=share, real=none, worst=None, valid=False)
    worst = SourceResult(kind="generated", source="old", external=False, yes=none)

    def evidence(*reach: Reach) -> Evidence:
        return Evidence(
            likelihood=fit_likelihood({"real": real}, own),
            thresholds=fit_thresholds({("real", "p"): real}, head_count=1),
            reach=reach,
        )

    calibration = FullCalibration.new(
        **first.model_dump(exclude={"format"}),
        detector_evidence=evidence(rung),
        heads_evidence={head: evidence(rung.model_copy(update={"worst": worst, "valid": True})) for head in first.heads},
    )
    (folder / "calibration.json").write_bytes(calibration.to_bytes())


def write_golden_evidence() -> None:
    """Write an instrument and the record made with it, once."""
    for path, document in (
        (FOLDER / "v1" / "instrument.json", make_instrument()),
        (FOLDER / "v2" / "evidence.json", make_record()),
    ):
        with path.open("xb") as stream:
            stream.write(document.to_bytes())


def write_golden_case(folder: Path) -> None:
    """Write the seal of a scan and the line of a custody log that tells of it, once."""
    seal = Seal.new(
        records=digest_bytes(b"records"),
        size_bytes=4424,
        examined=3,
        failed=1,
        instruments=(make_instrument().digest,),
        laboratory="Golden Laboratory",
        examiner="A. Lovelace",
        case="2026-117",
        custody=CustodyHead(sequence=3, digest=NO_DIGEST),
        public_key=public_pem(_signer(4).public_key),
        created=TIME,
    )
    sealed = sign_seal(seal, _signer(4))
    line = CustodyEntry.new(
        sequence=4,
        time=TIME,
        who="A. Lovelace",
        action="scan.sealed",
        subject="scans/0001.jsonl",
        details={"records": seal.records, "seal": digest_bytes(sealed), "examined": 3, "failed": 1},
        previous=NO_DIGEST,
    )
    for name, data in {"scan.seal.json": sealed, "custody.json": line.to_bytes()}.items():
        with (folder / name).open("xb") as stream:
            stream.write(data)


def write_golden_saliency() -> None:
    """Write the maps of the golden record, once."""
    path = FOLDER / "v1" / "saliency.safetensors"
    if path.exists():
        raise FileExistsError(path)
    maps = np.linspace(-1, 1, 2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4)
    write_saliency(path, Examined(make_record(), make_instrument()), maps)


def write_golden_pack(folder: Path) -> None:
    """Write a pack, once: the golden primary without a head, its timestamp and snapshot past their dates."""
    late, long = datetime(2026, 1, 3, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
    keys = {role: _signer(10 + i) for i, role in enumerate(("root", "targets", "snapshot", "timestamp"))}
    primary = (folder / "primary.safetensors").read_bytes()
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
        hub_key=public_pem(_signer(2).public_key),
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
    with (folder / "pack.tar").open("xb") as stream:
        write_pack(stream, index, objects, lambda digest: BytesIO(objects[digest]))


_GOLDEN_PLAN: dict[str, Any] = {  # every number of `manyheads.federation-plan/1`
    "name": "golden",
    "version": "1",
    "architecture": "khoo2022-pixel",
    "seed": 2022,
    "rounds": 1,
    "local_steps": 20,
    "batch_size": 16,
    "learning_rate": 0.001,
    "schedule": "cosine",
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-7,
    "positive_weight": "balanced",
    "degradation": "clean",
    "batch_norm_images": 2048,
    "precision": "float32",
    "proximal_strength": 0.0,
    "weighting": "equal",
    "influence_cap": 1.0,
    "quorum": 1,
    "round_seconds": 3600,
    "min_examples": 32,
    "norm_factor": 3.0,
    "strategy": "fedavg",
    "faulty_parties": 0,
    "server_learning_rate": 1.0,
    "server_beta1": 0.9,
    "server_beta2": 0.99,
    "server_epsilon": 0.001,
    "privacy": None,
}


def write_golden_federation(folder: Path) -> None:
    """Write the record of a federated training: two parties, one round, a measurement, an outcome."""
    signer = _signer(4)
    plan = Plan.new(
        **_GOLDEN_PLAN,
        preprocessing=Preprocessing(representation="pixel", image_size=64, fit="resize"),
        initial=digest_bytes(b"initial"),
        parties=tuple(Party(name=name, node=node, max_examples=900) for name, node in (("ada", "17"), ("ben", str(2**64 - 1)))),
        created=TIME,
    )
    opening = Opening.new(sequence=1, previous=GENESIS, plan=plan, public_key=public_pem(signer.public_key))
    states: tuple[tuple[str, State, tuple[str, ...], float], ...] = (
        ("ada", "accepted", (), 1.0),
        ("ben", "rejected", ("expected 32 to 900 examples, it claims 1000000000",), 0.0),
    )
    entry = Round.new(
        sequence=2,
        previous=opening.digest,
        opening=opening.digest,
        round=1,
        parties=tuple(
            PartyRound(
                party=name,
                state=state,
                reasons=reasons,
                update=digest_bytes(name.encode()) if influence else None,
                examples=800 if influence else None,
                loss=0.25 if influence else None,
                norm=1.5 if influence else None,
                influence=influence,
            )
            for name, state, reasons, influence in states
        ),
        strangers=0,
        faulty_parties=0,
        norm=1.5,
        weights=digest_bytes(b"weights"),
        began=TIME,
        ended=TIME,
    )
    measured = Measurement.new(
        sequence=3,
        previous=entry.digest,
        opening=opening.digest,
        parties=tuple(
            PartyMeasurement(
                party=name,
                state=state,
                reasons=reasons,
                statistics=digest_bytes(name.encode()) if influence else None,
                examples=800 if influence else None,
                influence=influence,
            )
            for name, state, reasons, influence in states
        ),
        weights=digest_bytes(b"measured"),
        ended=TIME,
    )
    outcome = Outcome.new(
        sequence=4,
        previous=measured.digest,
        opening=opening.digest,
        rounds=1,
        weights=digest_bytes(b"measured"),
        primary=digest_bytes(b"primary"),
        epsilon=None,
        statistics="parties",
        created=TIME,
    )
    lines = [sign_line(link, signer) for link in (opening, entry, measured, outcome)]
    (folder / "federation.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def write_golden_trust() -> None:
    """Write the beginning of a record whose plan trusts a party: the opening and a round; once."""
    signer, nodes = _signer(4), (("ada", "17"), ("ben", str(2**64 - 1)), ("hub", "19"))
    plan = TrustingPlan.new(
        **_GOLDEN_PLAN | {"strategy": "trust", "influence_cap": 0.5, "quorum": 2},
        trusted_party="hub",
        preprocessing=Preprocessing(representation="pixel", image_size=64, fit="resize"),
        initial=digest_bytes(b"initial"),
        parties=tuple(Party(name=name, node=node, max_examples=900) for name, node in nodes),
        created=TIME,
    )
    opening = Opening.new(sequence=1, previous=GENESIS, plan=plan, public_key=public_pem(signer.public_key))
    parties = tuple(
        PartyRound(
            party=name,
            state="accepted",
            reasons=(),
            update=digest_bytes(name.encode()),
            examples=800,
            loss=0.25,
            norm=1.5,
            influence=influence,
        )
        for name, influence in (("ada", 0.25), ("ben", 0.0), ("hub", 0.75))
    )
    entry = Round.new(
        sequence=2,
        previous=opening.digest,
        opening=opening.digest,
        round=1,
        parties=parties,
        strangers=0,
        faulty_parties=0,
        norm=1.25,
        weights=digest_bytes(b"weights"),
        began=TIME,
        ended=TIME,
    )
    with (FOLDER / "v2" / "federation.jsonl").open("xb") as stream:
        stream.write(b"".join(sign_line(link, signer) + b"\n" for link in (opening, entry)))


def write_v3(folder: Path) -> None:
    """Write what version 3 added: a calibration that says how sure its ratios are, and what sizes it rests on.

    Raises:
        FileExistsError: the folder is there; golden files are never written again.
    """
    folder.mkdir(parents=True)
    second = FullCalibration.from_bytes((FOLDER / "v2" / "calibration.json").read_bytes())
    real, own = np.linspace(-2, 0.25, 150, dtype=np.float32), np.linspace(0, 2, 60, dtype=np.float32)

    def bounded(evidence: Evidence) -> BoundedEvidence:
        return BoundedEvidence(
            likelihood=bound_ratio(evidence.likelihood, {"real": real}, own),
            thresholds=evidence.thresholds,
            reach=evidence.reach,
        )

    bands = Calibration.from_bytes((FOLDER / "v1" / "calibration.json").read_bytes())
    calibration = BoundedCalibration.new(
        **bands.model_dump(exclude={"format"}),
        sides=Sides(shortest=64, longest=1024),
        usual=Usual(jpeg=85, scale=0.35, blur=1.2, noise=2.5),
        detector_evidence=bounded(second.detector_evidence),
        heads_evidence={head: bounded(evidence) for head, evidence in second.heads_evidence.items()},
    )
    (folder / "calibration.json").write_bytes(calibration.to_bytes())


def write_golden_upgrade() -> None:
    """Write the bundle that carries the golden head over to another primary, its report and an instrument with it; once."""
    first = BundleManifest.from_bytes((FOLDER / "v1" / "bundle.json").read_bytes())
    hub, calibration = _signer(2), Calibration.from_bytes((FOLDER / "v1" / "calibration.json").read_bytes())
    later = _primary_bytes("khoo2022-pixel", 32, seed=2026)
    moved = calibration.model_copy(update={"primary": digest_bytes(later)})
    report = sign_retention(make_retention(first, later), hub)
    carried = Carried(head=first.heads[0].head, primary=first.primary, way="straight", until=None)
    fields = {name: getattr(first, name) for name in BundleManifest.model_fields if name not in ("format", "sequence")}
    fields |= {"primary": digest_bytes(later), "calibration": moved.digest, "retention": digest_bytes(report)}
    bundle = CarryingManifest.new(**fields, sequence=8, carried=(carried,))
    for path, data in (
        (FOLDER / "v1" / "retention.json", report),
        (FOLDER / "v2" / "later-primary.safetensors", later),
        (FOLDER / "v2" / "later-calibration.json", moved.to_bytes()),
        (FOLDER / "v2" / "bundle.json", bundle.to_bytes()),
        (FOLDER / "v2" / "instrument.json", make_carrying_instrument().to_bytes()),
    ):
        with path.open("xb") as stream:
            stream.write(data)


WRITERS = {"v1": write, "v2": write_v2, "v3": write_v3}

if __name__ == "__main__":
    WRITERS[sys.argv[1]](FOLDER / sys.argv[1])
