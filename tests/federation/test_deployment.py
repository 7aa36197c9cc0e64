"""The one test with Flower's own processes: TLS, node authentication, two owners who join, rounds, a primary, its record."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from manyheads_shared.artifact import read_primary
from manyheads_shared.federation.record import Record, read_record, split_lines
from manyheads_shared.federation.tensors import digest_tensors
from manyheads_shared.keys import make_key_files, read_public_half
from tests.support.deployed_federation import Deployed, superlink
from tests.support.federation import make_federation


@dataclass(frozen=True)
class Trained:
    """What a maintainer has in the end."""

    deployed: Deployed
    maintainer: Path
    primary: Path
    sites: list[Path]
    log: str

    @property
    def record(self) -> Record:
        path = self.primary.with_name(self.primary.name + ".federation.jsonl")
        return read_record(split_lines(path.read_bytes()), read_public_half(self.maintainer))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("deployed")
    maintainer = make_key_files(folder / "maintainer.pem")
    with superlink(folder) as deployed:
        sites, nodes = zip(*(deployed.write_site(i, maintainer.public) for i in range(2)), strict=True)
        plan, training, primary = deployed.write_plan(list(nodes)), folder / "training", folder / "faces.safetensors"
        key = ("--key", str(maintainer.private))
        deployed.ours("manyheads_hub", "federate", "prepare", str(training), str(plan), *key)
        config = f'folder="{training}" key="{maintainer.private}"'
        with deployed.joined(*sites):
            log = deployed.flower("run", str(training / "app"), "test", "--stream", "--run-config", config)
        deployed.ours("manyheads_hub", "federate", "package", str(training), "--out", str(primary), *key)
    return Trained(deployed, maintainer.public, primary, list(sites), log)


def test_two_owners_and_a_maintainer_train_a_primary_by_commands_alone(trained: Trained) -> None:
    assert [[party.state for party in entry.parties] for entry in trained.record.rounds] == [["accepted"] * 2] * 2


def test_the_record_is_verified_by_an_owner_against_what_the_node_sent(trained: Trained) -> None:
    (sent,) = (trained.sites[0].parent / "work").glob("*/sent.jsonl")
    arguments = [str(trained.primary) + ".federation.jsonl", "--primary", str(trained.primary), "--sent", str(sent), "--json"]
    answer = trained.deployed.ours(
        "manyheads_contributor", "federate", "verify", *arguments, "--party", "party0", "--maintainer", str(trained.maintainer)
    )
    assert json.loads(answer)["own_updates"] == 2


def test_deployed_and_in_process_training_give_the_same_weights(trained: Trained, tmp_path: Path) -> None:
    nodes = [int(party.node) for party in trained.record.plan.parties]
    here = make_federation(tmp_path, sites=trained.sites, nodes=nodes, round_seconds=100)
    for site in trained.sites:  # they trust another maintainer here
        site.write_text(site.read_text().replace(str(trained.maintainer), str(tmp_path / "maintainer.pem.pub")))
    record = here.run()
    assert record.measurement is not None
    assert record.measurement.weights == digest_tensors(read_primary(trained.primary.read_bytes()).tensors)
