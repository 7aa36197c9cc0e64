"""Bundles that carry heads over from an earlier primary: only by a way that the hub's signed report allows."""

from collections.abc import Callable

import pytest

from manyheads_shared.artifact import read_primary
from manyheads_shared.bundle import BundleManifest, CarryingManifest, read_manifest, verify_bundle
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import BundleError, ManyheadsError, SignatureError, UnsupportedVersionError
from manyheads_shared.keys import generate_key
from manyheads_shared.retention import RetentionReport, sign_retention, verify_retention
from tests.support.carrying import EARLIER, LATER, make_carrying_bundle
from tests.support.makers import NO_DIGEST, MadeBundle, make_bundle, make_primary_bytes


def manifest_of(made: MadeBundle) -> CarryingManifest:
    assert isinstance(made.manifest, CarryingManifest)
    return made.manifest


def set_report(made: MadeBundle, **change: object) -> None:
    """Let the hub sign another report."""
    report = verify_retention(made.objects[manifest_of(made).retention], made.hub.public_key).report
    data = sign_retention(report.model_copy(update=change), made.hub)
    made.objects[digest_bytes(data)] = data
    made.manifest = made.manifest.model_copy(update={"retention": digest_bytes(data)})


def set_carried(made: MadeBundle, **change: object) -> None:
    first, *rest = manifest_of(made).carried
    made.manifest = made.manifest.model_copy(update={"carried": (first.model_copy(update=change), *rest)})


@pytest.mark.parametrize("way", ["straight", "beside"])
def test_carried_heads_belong_to_their_own_primary_and_say_how_they_are_run(way: str) -> None:
    made = make_carrying_bundle(way=way)  # type: ignore[arg-type]
    bundle = verify_bundle(made.data, made.read_object)

    assert bundle.primary.digest == digest_bytes(LATER)
    assert {passage.earlier.digest for passage in bundle.passages.values()} == {digest_bytes(EARLIER)}
    assert [head.passage.way for head in bundle.heads if head.passage] == [way, way]
    assert all(head.retention and head.retention.way == way for head in bundle.heads)


def test_every_object_of_it_is_listed() -> None:
    made = make_carrying_bundle()

    assert set(made.manifest.object_digests()) == set(made.objects)


def test_a_bundle_without_carried_heads_stays_version_1_and_its_reader_refuses_version_2() -> None:
    plain, carrying = make_bundle(), make_carrying_bundle()

    assert type(read_manifest(plain.data)) is BundleManifest
    assert type(read_manifest(carrying.data)) is CarryingManifest
    with pytest.raises(UnsupportedVersionError, match="version 1, the document is version '2'"):
        BundleManifest.from_bytes(carrying.data)


def another_way(made: MadeBundle) -> None:
    set_carried(made, way="beside")


def a_head_the_report_leaves_out(made: MadeBundle) -> None:
    set_report(made, heads=())


def a_report_on_another_primary(made: MadeBundle) -> None:
    set_report(made, candidate=NO_DIGEST)


def a_report_that_somebody_else_signed(made: MadeBundle) -> None:
    report = verify_retention(made.objects[manifest_of(made).retention], made.hub.public_key).report
    data = sign_retention(report, generate_key())
    made.objects[digest_bytes(data)] = data
    made.manifest = made.manifest.model_copy(update={"retention": digest_bytes(data)})


def a_head_carried_twice(made: MadeBundle) -> None:
    first, *_ = manifest_of(made).carried
    made.manifest = made.manifest.model_copy(update={"carried": (first, first)})


def a_head_that_is_not_in_it(made: MadeBundle) -> None:
    set_carried(made, head=NO_DIGEST)


def a_head_carried_from_the_same_primary(made: MadeBundle) -> None:
    set_carried(made, primary=made.manifest.primary)


def a_primary_that_takes_other_images(made: MadeBundle) -> None:
    other = make_primary_bytes(size=64)
    made.objects[digest_bytes(other)] = other
    report = verify_retention(made.objects[manifest_of(made).retention], made.hub.public_key).report
    rows = tuple(row.model_copy(update={"primary": read_primary(other).digest}) for row in report.heads)
    set_report(made, heads=rows)
    changed = tuple(entry.model_copy(update={"primary": digest_bytes(other)}) for entry in manifest_of(made).carried)
    made.manifest = made.manifest.model_copy(update={"carried": changed})


@pytest.mark.parametrize(
    ("break_it", "error", "message"),
    [
        (another_way, BundleError, "does not allow"),
        (a_head_the_report_leaves_out, BundleError, "does not allow"),
        (a_report_on_another_primary, BundleError, "is about primary"),
        (a_report_that_somebody_else_signed, SignatureError, "evaluation key"),
        (a_head_carried_twice, BundleError, "2 times"),
        (a_head_that_is_not_in_it, BundleError, "lists it 0 times"),
        (a_head_carried_from_the_same_primary, BundleError, "own primary"),
        (a_primary_that_takes_other_images, BundleError, "preprocessing must be the same"),
    ],
)
def test_what_does_not_fit_is_refused(
    break_it: Callable[[MadeBundle], None], error: type[ManyheadsError], message: str
) -> None:
    made = make_carrying_bundle()
    break_it(made)

    with pytest.raises(error, match=message):
        verify_bundle(made.data, made.read_object)


def test_a_report_names_what_stands_in_the_way_and_finds_a_head() -> None:
    made = make_carrying_bundle()
    report: RetentionReport = verify_retention(made.objects[manifest_of(made).retention], made.hub.public_key).report

    assert (report.title, report.unmet) == ("later@1", ())
    found = report.find(made.manifest.heads[0].head)
    assert found is not None
    assert found.generator.title == "alpha@1"
    assert report.find(NO_DIGEST) is None
