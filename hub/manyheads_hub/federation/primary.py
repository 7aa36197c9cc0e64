"""The ends of a federated training: what it starts from, and the artifact that it makes. Loads torch, for commands alone."""

from collections.abc import Sequence
from pathlib import Path

import torch
from securesystemslib.signer import CryptoSigner

from manyheads_hub.federation.folder import FederationFolder, FederationFolderError
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import PrimaryArtifact, Tensors, read_primary
from manyheads_shared.clock import now
from manyheads_shared.compute import Compute, choose_compute, software
from manyheads_shared.dataset import Item, scan_dataset
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import UsageError
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.record import Outcome, Record, next_place, sign_line
from manyheads_shared.federation.tensors import digest_tensors
from manyheads_shared.federation.verification import plan_epsilon, verify_federation
from manyheads_shared.files import write_atomic
from manyheads_shared.image import read_image
from manyheads_shared.manifest import Preprocessing, Training
from manyheads_shared.networks import Primary, build_primary, primary_tensors, remeasure_batch_norm, set_primary_tensors
from manyheads_shared.packaging import build_primary_artifact
from manyheads_shared.preprocess import Preprocessor, fit_image


def record_path(primary: Path) -> Path:
    """Where the record of a federated primary lies: beside its artifact."""
    return primary.with_name(primary.name + ".federation.jsonl")


def initial_tensors(architecture: str, preprocessing: Preprocessing, seed: int) -> Tensors:
    """Fresh weights of a seed, the same as central training begins with."""
    return primary_tensors(build_primary(get_architecture(architecture), preprocessing.image_size, seed=seed))


def tensors_of(path: Path, architecture: str, preprocessing: Preprocessing) -> Tensors:
    """The tensors of a primary artifact to go on from.

    Raises:
        UsageError: no such file, or a primary of another architecture or preprocessing than the plan's.
        FormatError: no primary.
    """
    if not path.is_file():
        raise UsageError(f"{path}: expected a primary artifact; there is none")
    primary = read_primary(path.read_bytes())
    if (primary.manifest.architecture, primary.manifest.preprocessing) != (architecture, preprocessing):
        raise UsageError(
            f"{path}: expected a primary of the plan's architecture, image_size and fit; change the plan or start fresh"
        )
    return primary.tensors


def package_federation(
    folder: FederationFolder, out: Path, signer: CryptoSigner, *, public: Path | None = None
) -> tuple[PrimaryArtifact, Outcome]:
    """Make the primary artifact of a finished training, and end its record.

    Killed in between, it goes on when it is called again.

    Args:
        out: the artifact; its record goes to `record_path(out)`.
        signer: the key of the record.
        public: images of the maintainer's own, to measure the statistics of batch norm on: under differential privacy no party
            sends its own.

    Raises:
        UsageError: the training has privacy and there are no public images, or the other way round; or `out` is another file.
        FederationFolderError: the training is not finished.
        FormatError, VerificationError: the folder is not what its record says.
    """
    record = folder.read()
    plan = record.plan
    if (plan.privacy is None) != (public is None):
        need = "leave --public out: the parties measured the statistics" if public else "name images of your own with --public"
        raise UsageError(f"statistics of batch norm: {need}")
    if len(record.rounds) < plan.rounds:
        raise FederationFolderError(f"{folder.path}: {len(record.rounds)} of {plan.rounds} rounds are done; run the app on")
    tensors = (
        folder.read_measured(record) if public is None else measure_public(folder.read_state(record).tensors, plan, public)
    )
    if out.exists():
        data = out.read_bytes()  # of a call that was killed; what it is not, is refused below
    else:
        data = build_primary_artifact(
            tensors,
            name=plan.name,
            version=plan.version,
            architecture=plan.architecture,
            preprocessing=plan.preprocessing,
            training=_training(record),
        )
        write_atomic(out, data)
    if record.outcome is None:
        folder.append(sign_line(_outcome(record, tensors, data), signer))
    record, artifact = folder.read(), read_primary(data)
    outcome = verify_federation(record, artifact)
    write_atomic(record_path(out), folder.record.read_bytes())
    return artifact, outcome


def measure_public(tensors: Tensors, plan: Plan, public: Path) -> Tensors:
    """Tensors with the statistics of batch norm over the maintainer's own images, real and generated.

    Raises:
        DatasetError: no image there.
    """
    network, compute = Primary(get_architecture(plan.architecture), plan.preprocessing.image_size), choose_compute("cpu")
    set_primary_tensors(network, tensors)
    items = scan_dataset(public).select(external=False)
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(plan.seed)).tolist()
    chosen = [items[i] for i in order[: plan.batch_norm_images]]
    batches = [chosen[i : i + plan.batch_size] for i in range(0, len(chosen), plan.batch_size)]
    remeasure_batch_norm(network, (_load(batch, plan, compute) for batch in batches), compute)
    return primary_tensors(network)


def _load(items: Sequence[Item], plan: Plan, compute: Compute) -> torch.Tensor:
    preprocess = Preprocessor(plan.preprocessing)
    images = [fit_image(read_image(item.path).pixels, plan.preprocessing) for item in items]
    return torch.from_numpy(preprocess.batch(images)).to(compute.device, memory_format=torch.channels_last)


def _training(record: Record) -> Training:
    plan = record.plan
    accepted = [party for party in record.rounds[-1].parties if party.state == "accepted"]
    images = sum(party.examples or 0 for party in accepted)
    return Training(
        recipe=plan.digest,
        seed=plan.seed,
        epochs=max(1, round(plan.steps * plan.batch_size * len(accepted) / images)),  # passes over the images, on average
        images=images,
        precision=plan.precision,
        device=f"a federation of {len(plan.parties)} parties",
        software=software(),
    )


def _outcome(record: Record, tensors: Tensors, artifact: bytes) -> Outcome:
    return Outcome.new(
        **next_place(record),
        opening=record.opening.digest,
        rounds=len(record.rounds),
        weights=digest_tensors(tensors),
        primary=digest_bytes(artifact),
        epsilon=plan_epsilon(record.plan),
        statistics="parties" if record.plan.privacy is None else "public images",
        created=now(),
    )
