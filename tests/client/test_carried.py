"""Bundles that carry heads over, at a client: pulled, told of, packed, and never run by a way that is not allowed."""

from pathlib import Path

import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.exporting import export_bundle
from manyheads_client.importing import import_pack
from manyheads_client.instrument import describe_instrument, warn_of
from manyheads_client.pack import open_pack
from manyheads_client.recomputation import check_instrument
from manyheads_client.sentences import identify
from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_shared.bundle import CarryingManifest, verify_bundle
from manyheads_shared.compute import choose_compute
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import BundleError, PrimaryMismatchError
from manyheads_shared.evidence import CarryingInstrument, Instrument, read_instrument
from manyheads_shared.scoring import Scorer
from tests.support.carrying import EARLIER, make_carrying_bundle
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.makers import make_bundle, make_images

CPU = choose_compute("cpu", "float32")


@pytest.fixture
def hub() -> HubSimulator:
    return HubSimulator(make_carrying_bundle(way="beside"))


@pytest.fixture
def store(tmp_path: Path, hub: HubSimulator) -> Store:
    store = Store(tmp_path / "store")
    pull(store, URL, hub.root_bytes, hub)
    return store


def test_it_is_pulled_with_the_earlier_primary_and_every_head_scores(store: Store) -> None:
    bundle = Bundle.open(store.folder)
    logits = bundle.scorer(CPU).score(make_images(3))

    assert store.holds(digest_bytes(EARLIER))
    assert logits.shape == (3, 3)
    earlier = bundle.verified.passages[bundle.verified.heads[0].artifact.digest].earlier
    alone = Scorer(earlier, [head.artifact for head in bundle.verified.heads], CPU).score(make_images(3))
    assert abs(logits[:, 1:] - alone[:, 1:]).max() < 1e-3


def test_the_instrument_names_what_each_head_was_run_through(store: Store) -> None:
    bundle = Bundle.open(store.folder)
    instrument = describe_instrument(bundle, CPU)

    assert isinstance(instrument, CarryingInstrument)
    assert {(each.way, each.primary.digest) for each in instrument.carried} == {("beside", digest_bytes(EARLIER))}
    assert read_instrument(instrument.to_bytes()) == instrument
    assert list(check_instrument(instrument, bundle)) == []
    assert [fact.term for fact in identify(instrument) if "made for" in fact.text] == ["head alpha@1", "head beta@1"]
    assert "Made for an earlier primary: alpha@1, beta@1; run on the features of its own primary" in " ".join(warn_of(bundle))


def test_an_instrument_that_says_less_or_more_than_its_bundle_is_found_out(store: Store) -> None:
    made = make_bundle()
    bundle, plain = Bundle.open(store.folder), Bundle(verify_bundle(made.data, made.read_object))
    instrument = describe_instrument(bundle, CPU)
    fields = {name: getattr(instrument, name) for name in Instrument.model_fields if name != "format"}

    assert "instrument: `carried` is not that of the bundle" in list(check_instrument(Instrument.new(**fields), bundle))
    assert any("the bundle has none" in finding for finding in check_instrument(instrument, plain))


def test_it_crosses_an_air_gap(store: Store, tmp_path: Path) -> None:
    export_bundle(store, tmp_path / "bundle.pack")
    root = store.read_root()
    with open_pack(tmp_path / "bundle.pack") as pack:
        import_pack(Store(tmp_path / "other"), pack, root)

    assert Bundle.open(tmp_path / "other").generators == ("alpha@1", "beta@1")


def test_a_bundle_with_a_way_that_its_report_does_not_allow_is_refused_and_the_store_stays(
    hub: HubSimulator, store: Store
) -> None:
    before, made = store.current(), hub.bundle
    assert isinstance(made.manifest, CarryingManifest)
    carried = tuple(entry.model_copy(update={"way": "straight"}) for entry in made.manifest.carried)
    made.manifest = made.manifest.model_copy(update={"sequence": made.manifest.sequence + 1, "carried": carried})
    hub.publish(made)

    with pytest.raises(BundleError, match="does not allow"):
        pull(store, URL, None, hub)
    assert store.current() == before


def test_no_scorer_is_made_without_the_passages(store: Store) -> None:
    verified = Bundle.open(store.folder).verified
    with pytest.raises(PrimaryMismatchError):
        Scorer(verified.primary, [head.artifact for head in verified.heads], CPU)
