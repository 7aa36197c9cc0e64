"""Every released format is read for ever: files written once, digests and values that never change."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.custody import CustodyEntry
from manyheads_client.importing import import_pack
from manyheads_client.pack import open_pack, write_pack
from manyheads_client.saliency.arrays import read_saliency
from manyheads_client.store import Store
from manyheads_hub.audit.chain import AuditEntry
from manyheads_hub.webhooks.outbox import Event
from manyheads_shared.artifact import read_head, read_primary, write_head, write_primary
from manyheads_shared.bundle import BundleManifest, VerifiedBundle, read_manifest, verify_bundle
from manyheads_shared.calibration import BoundedCalibration, Calibration, FullCalibration, Sides, read_calibration
from manyheads_shared.compute import choose_compute
from manyheads_shared.decision import Answer, State, decide
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.document import Document
from manyheads_shared.evidence import EvidenceRecord, FailureRecord, Instrument, read_instrument
from manyheads_shared.evidence_v1 import EvidenceRecordV1
from manyheads_shared.federation.record import read_record, split_lines
from manyheads_shared.federation.verification import broken_by
from manyheads_shared.image import decode_image
from manyheads_shared.key_proof import verify_key_proof
from manyheads_shared.keys import parse_public_key
from manyheads_shared.recall import Recall
from manyheads_shared.retention import verify_retention
from manyheads_shared.rungs import Rung
from manyheads_shared.scoring import Scorer
from manyheads_shared.seal import verify_seal

V1 = Path(__file__).parent / "v1"
SHA256 = {
    "audit.json": "1f07ee2b31c4fb482c4fbddd3bd4ef9478165c1b5e919de9b8eedc9a327734ac",
    "event.json": "28a52e7ed832ba8106364f1be307b3f4ae63ebb1706a5eff4ea810877a04d3c7",
    "key-proof.json": "58e39b826c2fba96cc57723758432cb46eed2aa3d2b3d837cf160b03c6b95092",
    "custody.json": "fe59530aa2e611247a0905c10225c590a76749be4de7883964b9c660d6a5f0d1",
    "federation.jsonl": "48541cefc1901f0f68545bdc9d838fa3b6c8fb731aa5c64a77b013984c6f7eb9",
    "scan.seal.json": "dcb2088c2b15381f57c31af43d5b06841dc973d3f12ef8d6c0dd3aafd6ead2ba",
    "recall.json": "544b0dde105306b94567cdb1c12e8880b46d5827beb3b2eeb64d5a23518b000a",
    "bundle.json": "bbae5e0616e2b3ad195827878597e9f94b3169049fe9956d438b7c60e569b843",
    "calibration.json": "2b1c9ac42ab96521e9cf95ab84520995ef4051a923f91bdd003e3f8cef2f00e2",
    "evidence.json": "30936f202491ee8dc58327477c488ec68d7e2eaf2bfc859b3425b211ae3de95a",
    "failure.json": "9242adadd7dd459a1cc6c6df8d42413c30c80ff14979516e6c4d3bf09389eedc",
    "head.safetensors": "9ea740e3b03c170ea29cf698ff95141f92284e2a22cbf4928cb0b6e0863248f0",
    "hub.statement.json": "427a5ce4e3ddc4c2c902ec541cdf36258ba4092b8b4d672a5696048ac24dbae5",
    "instrument.json": "9f4edd67ad35980a75b468234e90e16e9b8d04c81be8ca56127bd597fc832c5e",
    "owner.statement.json": "3de23766c87a370bfdf7446453cd329e9ef986aa59c56e966fe3935705586737",
    "pack.tar": "0d775d548842822344590cf132ec5f5d5133d1574bfdfafbd8e7cfc908c0bd71",
    "picture.png": "3fb1bfb1af0b675045cb6442db59e4eac688efdec99ce0864abb2e12a9610b70",
    "primary-dct.safetensors": "5531b9de492f4148fe76d50d59ed48bfd9d0d30919d62ec4965d4f80ad8bb863",
    "primary.safetensors": "45af06d78368884dd25bc3893375ea6bde67c8f27a3eb2cda8ca626e24485ee5",
    "retention.json": "ad025c4c623995488fd663ba6fb3849d294790312ff6fb10fd4b8cdc87fadd1a",
    "saliency.safetensors": "6358c7e69138511118e961fe578744e09a9c47e6de94692e963dfd045d9c4216",
}
DOCUMENTS: dict[str, type[Document]] = {
    "audit.json": AuditEntry,
    "event.json": Event,
    "custody.json": CustodyEntry,
    "recall.json": Recall,
    "bundle.json": BundleManifest,
    "calibration.json": Calibration,
    "evidence.json": EvidenceRecordV1,
    "failure.json": FailureRecord,
    "instrument.json": Instrument,
}


V2 = Path(__file__).parent / "v2"
SHA256_V2 = {
    "calibration.json": "224e1b04753fb62453ee9a73f1c4698bd95da3e19f94d8393e8e323de3c69185",
    "bundle.json": "4797c04c2ba7ce9f94ee39e5d05dc6b538600b17751527c917dbfe445c661b60",
    "evidence.json": "4672e0714c90987db45f48351d80050325f9165a7f3233cae308c9c034f0e97e",
    "federation.jsonl": "5f64f2b682b97b7dcb0bd3c46ff687582c22d751bab15a32411451a8293cdc8c",
    "instrument.json": "e58d39862c6b65df7d7a43a21403104df112ec5d694ffb33e2df18f4691c006f",
    "later-calibration.json": "b7f8df02ac1aa610a34694b5e19541a7f69f206dc93f52accb7fb9a4d4d24522",
    "later-primary.safetensors": "38ebe606ebd156ad9d8115d5285a606e4147ea7195f452f4e5cc556a890b4b47",
}
V3 = Path(__file__).parent / "v3"
CARRIED_LOGITS = (-0.15821, -0.20201)
SHA256_V3 = {"calibration.json": "b7a454367cfa59b0199d27a1f2821eeceacac3aa11da419c735814dc1cc876cf"}


def _bundle() -> VerifiedBundle:
    objects = {digest_bytes(path.read_bytes()): path.read_bytes() for path in V1.iterdir()}
    return verify_bundle((V1 / "bundle.json").read_bytes(), objects.__getitem__)


def test_a_bundle_of_version_2_carries_a_head_over_and_its_report_is_verified() -> None:
    objects = {digest_bytes(path.read_bytes()): path.read_bytes() for path in (*V1.iterdir(), *V2.iterdir())}
    data = (V2 / "bundle.json").read_bytes()
    bundle = verify_bundle(data, objects.__getitem__)
    report = verify_retention((V1 / "retention.json").read_bytes(), parse_public_key(bundle.manifest.hub_key)).report

    assert read_manifest(data).to_bytes() == data
    assert [(each.entry.generator.title, each.passage and each.passage.way) for each in bundle.heads] == [
        ("golden@1", "straight")
    ]
    assert (report.candidate, report.heads[0].compatibility) == (bundle.primary.digest, "compatible")
    heads = [head.artifact for head in bundle.heads]
    scorer = Scorer(bundle.primary, heads, choose_compute("cpu", "float32"), passages=bundle.passages)
    picture = decode_image((V1 / "picture.png").read_bytes())
    np.testing.assert_allclose(scorer.score([picture.pixels])[0], CARRIED_LOGITS, rtol=1e-3)


def test_an_instrument_of_version_2_names_what_a_head_was_run_through() -> None:
    data = (V2 / "instrument.json").read_bytes()
    instrument = read_instrument(data)

    assert instrument.to_bytes() == data
    assert [(each.way, each.primary.version) for each in instrument.carried_heads] == [("straight", "0")]


def test_the_golden_files_are_those_that_were_written() -> None:
    assert {path.name: hex_of(digest_bytes(path.read_bytes())) for path in V1.iterdir()} == SHA256


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_read_and_written_to_the_byte(name: str) -> None:
    data = (V1 / name).read_bytes()

    assert DOCUMENTS[name].from_bytes(data).to_bytes() == data


def test_the_record_of_a_federated_training_is_read_and_signed_to_the_byte() -> None:
    record = read_record(split_lines((V1 / "federation.jsonl").read_bytes()))

    assert [party.name for party in record.plan.parties] == ["ada", "ben"]
    assert [party.state for party in record.rounds[0].parties] == ["accepted", "rejected"]
    assert record.head.digest == "sha256:c88c00d31d6c133a6dbdc12d374a8a4ebccd9402b68e950fe49a88c770c88b97"


def test_a_plan_of_version_2_trusts_a_party() -> None:
    record = read_record(split_lines((V2 / "federation.jsonl").read_bytes()))

    assert (record.plan.format, record.plan.trusted) == ("manyheads.federation-plan/2", record.plan.parties[2])
    assert broken_by(record.rounds[0], record.plan) is None
    assert record.head.digest == "sha256:0aa2365cc04a8fad7e95a122978258eb10cd32967d3d57fb60700fa36626e3f5"


@pytest.mark.parametrize("name", ["primary.safetensors", "primary-dct.safetensors"])
def test_a_primary_is_read_and_written_to_the_byte(name: str) -> None:
    data = (V1 / name).read_bytes()
    primary = read_primary(data)

    assert write_primary(primary.manifest, primary.tensors) == data
    assert primary.manifest.name == "tiny"


def test_a_head_is_read_and_written_to_the_byte() -> None:
    primary = read_primary((V1 / "primary.safetensors").read_bytes())
    data = (V1 / "head.safetensors").read_bytes()
    head = read_head(data, primary)

    assert write_head(head.manifest, head.tensors, primary) == data
    assert head.manifest.generator.title == "golden@1"


def test_a_bundle_and_its_statements_are_verified() -> None:
    bundle = _bundle()
    (head,) = bundle.heads

    assert (bundle.manifest.hub, bundle.manifest.sequence) == ("golden-hub", 7)
    assert head.owner.predicate.created == "2026-01-02T03:04:05Z"
    assert (head.hub.predicate.recall.hits, head.hub.predicate.recall.total) == (39, 40)
    assert head.hub.predicate.false_positives[0].source == "photos"
    assert bundle.manifest.left_out[0].state == "yanked"
    assert bundle.calibration.heads[head.artifact.digest].negatives == 150


@pytest.mark.parametrize("name", ["primary.safetensors", "primary-dct.safetensors"])
def test_the_feature_contract_holds_on_this_machine(name: str) -> None:
    Scorer(read_primary((V1 / name).read_bytes()), [], choose_compute("cpu", "float32"))


def test_a_picture_scores_what_its_evidence_says() -> None:
    bundle = _bundle()
    evidence = EvidenceRecordV1.from_bytes((V1 / "evidence.json").read_bytes())
    picture = decode_image((V1 / "picture.png").read_bytes())
    scorer = Scorer(bundle.primary, [head.artifact for head in bundle.heads], choose_compute("cpu", "float32"))
    logits = scorer.score([picture.pixels])[0]
    bands = [bundle.calibration.heads[Digest(head.entry.head)] for head in bundle.heads]
    verdict = decide(logits, bundle.calibration.detector, bands, ["golden@1"])

    np.testing.assert_allclose(logits, [evidence.detector.logit, evidence.heads[0].measurement.logit], rtol=1e-4)
    assert verdict.state is evidence.state is State.REAL
    assert (evidence.detector.answer, evidence.heads[0].measurement.answer) == (Answer.NO, Answer.NO)
    assert (evidence.item.width, evidence.item.height) == (40, 36)
    assert evidence.instrument.bundle == bundle.digest


def test_a_pack_is_read_and_written_to_the_byte() -> None:
    with open_pack(V1 / "pack.tar") as pack:
        objects = {digest: pack.read_object(digest) for digest in pack.index.object_digests()}
        objects |= {d: pack.read_object(d) for d in BundleManifest.from_bytes(objects[pack.index.bundle]).object_digests()}
        written = BytesIO()
        write_pack(written, pack.index, objects, lambda digest: BytesIO(objects[digest]))

    assert written.getvalue() == (V1 / "pack.tar").read_bytes()


def test_a_pack_is_imported_past_its_date(tmp_path: Path) -> None:
    with open_pack(V1 / "pack.tar") as pack:
        root = pack.read_object(pack.index.metadata.roots[0])
        imported = import_pack(Store(tmp_path / "store"), pack, root)

    assert (imported.held.hub, imported.held.sequence) == ("golden-hub", 7)
    assert imported.overdue.days > 300
    assert Bundle.open(tmp_path / "store").verified.primary.manifest.name == "tiny"


def test_a_rotation_of_keys_is_verified() -> None:
    owner = _bundle().heads[0].owner.key_id
    proof = verify_key_proof(
        (V1 / "key-proof.json").read_bytes(), replaces=parse_public_key(_bundle().manifest.owner_keys[owner])
    )

    assert (proof.hub, proof.owner, proof.replaces) == ("golden-hub", "ada", owner)


def test_a_seal_is_verified_and_named_by_its_line_of_the_custody_log() -> None:
    signed = verify_seal((V1 / "scan.seal.json").read_bytes())
    line = CustodyEntry.from_bytes((V1 / "custody.json").read_bytes())

    assert (signed.seal.examiner, signed.seal.examined, signed.seal.failed) == ("A. Lovelace", 3, 1)
    assert signed.seal.instruments == (digest_bytes((V1 / "instrument.json").read_bytes()),)
    assert line.details["seal"] == signed.digest


def test_an_event_names_the_digest_of_its_line() -> None:
    event = Event.from_bytes((V1 / "event.json").read_bytes())

    assert event.entry_digest == event.entry.digest == digest_bytes((V1 / "audit.json").read_bytes())


def test_a_failure_says_what_failed() -> None:
    failure = FailureRecord.from_bytes((V1 / "failure.json").read_bytes())

    assert (failure.name, failure.error) == ("animation.png", "ImageError")


@pytest.mark.parametrize(("folder", "written"), [(V2, SHA256_V2), (V3, SHA256_V3)])
def test_the_files_of_later_versions_are_those_that_were_written(folder: Path, written: dict[str, str]) -> None:
    assert {path.name: hex_of(digest_bytes(path.read_bytes())) for path in folder.iterdir()} == written


def test_saliency_belongs_to_the_record_it_names() -> None:
    found = read_saliency(V1 / "saliency.safetensors")
    record = EvidenceRecord.from_bytes((V2 / "evidence.json").read_bytes())
    assert found.manifest.networks == ("detector", "golden@1")
    assert (found.manifest.pixels, found.manifest.instrument) == (record.item.pixels, record.instrument)
    np.testing.assert_array_equal(found.maps, np.linspace(-1, 1, 32, dtype=np.float32).reshape(2, 4, 4))


def test_a_record_of_the_second_version_names_its_instrument() -> None:
    instrument = Instrument.from_bytes((V1 / "instrument.json").read_bytes())
    record = EvidenceRecord.from_bytes((V2 / "evidence.json").read_bytes())

    assert record.instrument == instrument.digest
    assert record.to_bytes() == (V2 / "evidence.json").read_bytes()
    assert (record.scores_say, record.state) == (State.ATTRIBUTED, State.INCONCLUSIVE)
    assert record.strata[0].rung == Rung("jpeg", 90)


def test_every_version_of_a_calibration_is_read_by_one_reader() -> None:
    files = [(folder / "calibration.json").read_bytes() for folder in (V1, V2, V3)]
    first, second, third = (read_calibration(data) for data in files)

    assert type(first) is Calibration
    assert type(second) is FullCalibration
    assert type(third) is BoundedCalibration
    assert [calibration.to_bytes() for calibration in (first, second, third)] == files
    assert (first.detector, first.heads) == (second.detector, second.heads) == (third.detector, third.heads)


def test_a_likelihood_ratio_has_an_interval_since_version_3() -> None:
    second, third = (read_calibration((folder / "calibration.json").read_bytes()) for folder in (V2, V3))

    assert isinstance(second, FullCalibration)
    assert isinstance(third, BoundedCalibration)
    old, new = second.detector_evidence.likelihood, third.detector_evidence.likelihood
    assert old.of(2.0) == new.of(2.0) == pytest.approx(2.10965)
    assert (old.interval(2.0), new.interval(2.0)) == (None, (1.358, None))
    assert new.interval(0.1) == (-1.322, 0.805)
    assert third.sides == Sides(shortest=64, longest=1024)
