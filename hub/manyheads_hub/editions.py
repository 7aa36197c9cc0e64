"""Editions: what a bundle is made from, gathered before anything is measured. Measuring is for the worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from manyheads_hub.blobs import BlobSequence
from manyheads_hub.catalogue import queries as catalogue
from manyheads_hub.errors import NotReadyError
from manyheads_hub.evaluations.policy import Policy, read_policy
from manyheads_hub.evaluations.restating import sign_statements_again
from manyheads_hub.evaluations.suite import Suite, load_suite
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.upgrades import queries as upgrades
from manyheads_hub.upgrades.passages import read_passages
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, read_primary
from manyheads_shared.digest import Digest
from manyheads_shared.passage import Passage


@dataclass(frozen=True)
class Edition:
    """What the next bundle is made from: everything that measuring needs."""

    primary: PrimaryArtifact
    heads: tuple[HeadArtifact, ...]
    suite: Suite
    policy: Policy
    passages: Mapping[Digest, Passage] = field(default_factory=dict)  # of heads of earlier primaries


def prepare(hub: Hub) -> Edition:
    """Gather the next bundle's primary, its heads and those carried over to it, the suite with their proofs, and the policy.

    Raises:
        NotReadyError: the hub has no primary or no suite.
        UsageError, ManifestError: the policy is missing or none.
        MissingKeysError: the keys that publishing needs are not here.
    """
    hub.keyring.signers("targets")  # before minutes are spent on measuring
    sign_statements_again(hub)
    return gather(hub)


def gather(hub: Hub) -> Edition:
    """Gather as `prepare` does what is there now, to measure and not to publish.

    Raises:
        NotReadyError: the hub has no primary or no suite.
        UsageError, ManifestError: the policy is missing or none.
    """
    with hub.database.read() as session:
        row = primaries.newest(session)
        if row is None:
            raise NotReadyError("this hub has no primary; publish one with `manyheads-hub publish-primary`")
        listed = catalogue.listed_heads(session, row.digest)
        carried = upgrades.carried_heads(session, row.digest)
    primary = read_primary(hub.blobs.read(row.digest))
    passages = read_passages(hub, carried)
    heads = sorted([*listed, *(head for head, _ in carried)], key=lambda head: head.generator)
    return Edition(
        primary=primary,
        heads=tuple(
            read_head(hub.blobs.read(head.digest), passages[head.digest].earlier if head.digest in passages else primary)
            for head in heads
        ),
        suite=load_suite(hub.suite_folder(), {head.generator: BlobSequence(hub.blobs, head.proofs) for head in heads}),
        policy=read_policy(hub.settings.policy),
        passages=passages,
    )
