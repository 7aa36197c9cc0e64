"""The client against the real hub over HTTP: pull, attribute, pull again."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from manyheads_client import Attribution, Bundle, attribute
from manyheads_client.cli import app
from manyheads_client.exporting import export_bundle
from manyheads_client.fetch import HttpFetcher
from manyheads_client.importing import import_pack
from manyheads_client.pack import open_pack
from manyheads_client.store import Store
from manyheads_client.update import Pulled, pull
from manyheads_hub.catalogue import lifecycle
from manyheads_hub.hub import Hub, open_hub
from manyheads_shared.decision import State
from manyheads_shared.digest import hex_of
from manyheads_shared.image import Pixels
from tests.support.live_hub import MAINTAINER, Api, enrol, make_hub, package, serving, work
from tests.support.makers import SIZE, make_generator
from tests.support.world import draw_images


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with open_hub(make_hub(tmp_path / "hub")) as hub:
        yield hub


@pytest.fixture
def address(hub: Hub) -> Iterator[str]:
    with serving(hub.settings.folder) as address:
        yield address


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def pull_from(hub: Hub, address: str, store: Store) -> Pulled:
    return pull(store, address, hub.settings.root.read_bytes(), HttpFetcher())


def submit(hub: Hub, address: str, *names: str) -> None:
    """Have heads of these generators accepted and published."""
    owner = enrol(hub)
    with Api(address, owner.token) as api:
        for name in names:
            assert api.submit(package(owner, make_generator(name))).status_code == 201
    work(hub)


def states(bundle: Bundle, images: list[Pixels]) -> list[tuple[State, tuple[str, ...]]]:
    results = attribute(images, bundle, device="cpu", precision="float32")
    return [(result.state, result.generators) for result in results if isinstance(result, Attribution)]


def test_a_hub_without_heads_gives_a_bundle_that_tells_real_from_generated(hub: Hub, address: str, store: Store) -> None:
    assert pull_from(hub, address, store).held.sequence == 1
    bundle = Bundle.open(store.folder)
    assert bundle.generators == ()
    assert states(bundle, draw_images("photos", 20, seed=9)).count((State.REAL, ())) >= 18
    assert states(bundle, draw_images("alpha", 20, seed=9)).count((State.UNATTRIBUTED, ())) >= 18


def test_accepted_heads_arrive_and_attribute(hub: Hub, address: str, store: Store) -> None:
    pull_from(hub, address, store)
    submit(hub, address, "alpha", "beta")
    pulled = pull_from(hub, address, store)
    assert pulled.fetched == 2 * 3 + 1  # two heads with two statements each, and the calibration; the primary stays
    bundle = Bundle.open(store.folder)
    assert set(bundle.generators) == {"alpha@1", "beta@1"}
    for name in ("alpha", "beta"):
        assert states(bundle, draw_images(name, 20, seed=9)).count((State.ATTRIBUTED, (f"{name}@1",))) >= 15
    assert states(bundle, draw_images("photos", 20, seed=9)).count((State.REAL, ())) >= 18


def test_what_scores_are_worth_is_shown_with_its_bound_and_the_sizes_behind_it(hub: Hub, address: str, store: Store) -> None:
    pull_from(hub, address, store)
    told = CliRunner().invoke(app, ["show", "--store", str(store.folder)]).stdout
    assert re.search(r"detector: its scores support an answer at most \d+ to 1, the highest at least [\d.]+ to 1 at 95 %", told)
    assert f"rest on images whose shorter side has {SIZE} pixels" in told


def test_a_pull_again_fetches_nothing(hub: Hub, address: str, store: Store) -> None:
    pull_from(hub, address, store)
    again = pull_from(hub, address, store)
    assert (again.is_new, again.fetched) == (False, 0)


def test_a_bundle_crosses_an_air_gap_and_attributes_there(hub: Hub, address: str, store: Store, tmp_path: Path) -> None:
    submit(hub, address, "alpha")
    pull_from(hub, address, store)
    exported = export_bundle(store, tmp_path / "pack")
    behind = Store(tmp_path / "behind")
    with open_pack(tmp_path / "pack") as pack:
        imported = import_pack(behind, pack, hub.settings.root.read_bytes())
    assert imported.pack == exported.pack
    images = draw_images("alpha", 10, seed=9)
    assert states(Bundle.open(behind.folder), images) == states(Bundle.open(store.folder), images)
    assert not pull_from(hub, address, behind).is_new


def test_the_hub_lets_a_client_go_on_where_it_stopped(hub: Hub, address: str, store: Store) -> None:
    pull_from(hub, address, store)
    primary = Bundle.open(store.folder).verified.manifest.primary
    data = store.read_object(primary)
    store.object_path(primary).unlink()
    store.partial_path(primary).write_bytes(data[: len(data) // 2])
    target = f"{address}/tuf/targets/objects/{hex_of(primary)}.{hex_of(primary)}"
    answer = httpx.get(target, headers={"Range": "bytes=100-"})
    assert (answer.status_code, answer.content) == (206, data[100:])
    assert pull_from(hub, address, store).fetched == 1
    assert store.read_object(primary) == data


def test_a_yanked_head_leaves_the_next_bundle_with_its_reason(hub: Hub, address: str, store: Store) -> None:
    submit(hub, address, "alpha", "beta")
    pull_from(hub, address, store)
    with hub.database.write() as session:
        lifecycle.yank(session, MAINTAINER, "beta", "1", "claims photographs")
    work(hub)
    pull_from(hub, address, store)
    bundle = Bundle.open(store.folder)
    assert bundle.generators == ("alpha@1",)
    assert [(entry.generator.title, entry.reason) for entry in bundle.verified.manifest.left_out] == [
        ("beta@1", "claims photographs")
    ]
