import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from manyheads_client import Bundle
from manyheads_client.errors import NoBundleError, WrongRootError
from manyheads_client.instrument import describe_instrument, warn_of
from manyheads_client.store import Store, default_store
from manyheads_shared.bundle import verify_bundle
from manyheads_shared.clock import read_time
from manyheads_shared.compute import choose_compute
from manyheads_shared.errors import DigestMismatchError
from manyheads_shared.rungs import Rung
from tests.support.hub_simulator import HubSimulator
from tests.support.makers import MadeBundle, make_bundle

CPU = choose_compute("cpu", "float32")


@pytest.fixture
def copy(lab: Path, tmp_path: Path) -> Store:
    """A store that may be damaged."""
    shutil.copytree(lab / "store", tmp_path / "store", symlinks=True)
    return Store(tmp_path / "store")


def test_a_bundle_names_its_generators_in_the_order_of_the_logits(bundle: Bundle) -> None:
    assert bundle.generators == ("alpha@1", "beta@1", "gamma@1")
    assert len(bundle.head_bands) == bundle.scorer(CPU).head_count == 3


def test_the_networks_are_built_once_for_a_device(bundle: Bundle) -> None:
    assert bundle.scorer(CPU) is bundle.scorer(choose_compute("cpu", "float32"))


def test_an_altered_object_does_not_open(copy: Store) -> None:
    digest = copy.current().bundle
    copy.object_path(digest).write_bytes(copy.read_object(digest) + b" ")
    with pytest.raises(DigestMismatchError):
        Bundle.open(copy.folder)


def test_a_missing_object_says_how_to_get_it(copy: Store) -> None:
    copy.object_path(copy.current().bundle).unlink()
    with pytest.raises(NoBundleError, match="manyheads pull"):
        Bundle.open(copy.folder)


def test_a_store_under_another_root_does_not_open(copy: Store) -> None:
    copy.pin_root(HubSimulator().root_bytes)
    with pytest.raises(WrongRootError):
        Bundle.open(copy.folder)


def test_expired_metadata_is_a_warning_and_its_dates_are_in_the_instrument(bundle: Bundle) -> None:
    assert warn_of(bundle) == ()
    metadata = describe_instrument(bundle, CPU).metadata
    assert metadata is not None
    assert metadata.versions.keys() == metadata.expires.keys() == {"root", "timestamp", "snapshot", "targets"}
    late = read_time(min(metadata.expires.values())) + timedelta(days=3, hours=1)
    assert "3 days before" in warn_of(bundle, late)[0]


def test_a_bundle_without_metadata_says_so() -> None:
    made = make_bundle(())
    bundle = Bundle(verify_bundle(made.data, made.read_object))
    assert "without update metadata" in warn_of(bundle)[0]
    assert describe_instrument(bundle, CPU).metadata is None


def test_a_threshold_on_too_few_images_is_a_warning() -> None:
    made = make_bundle(("alpha", "beta", "gamma"))  # 200 negatives; a third of 1 % asks for 299
    bundle = Bundle(verify_bundle(made.data, made.read_object))
    assert "The threshold of alpha@1 rests on 200 images" in warn_of(bundle)[1]
    assert describe_instrument(bundle, CPU).warnings == warn_of(bundle)[1:]


def test_an_instrument_says_what_it_covers_and_who_vouches_for_it(bundle: Bundle) -> None:
    instrument = describe_instrument(bundle, CPU)
    assert instrument.titles == bundle.generators
    assert [entry.generator.title for entry in instrument.left_out] == ["omega@1"]
    for used, head in zip(instrument.heads, bundle.verified.heads, strict=True):
        assert used.owner_statement == head.entry.owner_statement
        assert used.standing.validated == (Rung("jpeg", 75),)
    assert describe_instrument(bundle, CPU).to_bytes() == instrument.to_bytes()


def test_the_store_is_found_by_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("MANYHEADS_STORE", raising=False)
    assert default_store() == tmp_path / "manyheads"
    monkeypatch.setenv("MANYHEADS_STORE", str(tmp_path / "mine"))
    assert default_store() == tmp_path / "mine"


def test_importing_the_package_loads_neither_torch_nor_a_server() -> None:
    program = "import sys, manyheads_client.cli, manyheads_client.bundle; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split())
    assert not loaded & {"torch", "fastapi", "sqlalchemy", "flwr"}


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    import manyheads_client  # noqa: PLC0415 - the module itself is tested

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = manyheads_client.nothing


def test_made_bundle_is_what_was_pulled(bundle: Bundle, made: MadeBundle) -> None:
    assert bundle.verified.manifest == made.manifest
