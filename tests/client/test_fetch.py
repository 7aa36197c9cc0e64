"""The HTTP fetcher against a hub that is served for real, on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads_client.errors import EndlessDataError, SlowHubError
from manyheads_client.fetch import FetchLimits, HttpFetcher, _verify_redirect
from manyheads_shared.errors import HubRefusedError, HubUnreachableError, UsageError
from tests.support.hub_simulator import HubSimulator

PATH = "/tuf/targets/large"
DATA = bytes(range(256)) * 1024
LIMITS = FetchLimits(connect_seconds=2, silence_seconds=2, grace_seconds=0.3, bytes_per_second=1000, pause_seconds=0.01)


@pytest.fixture
def hub() -> HubSimulator:
    hub = HubSimulator()
    hub.files[PATH] = DATA
    return hub


@pytest.fixture
def address(hub: HubSimulator) -> Iterator[str]:
    with hub.serve() as address:
        yield address


def fetch(url: str, offset: int = 0, limits: FetchLimits = LIMITS) -> bytes:
    return b"".join(HttpFetcher(limits).stream(url, offset))


def download(url: str, path: Path, length: int = len(DATA)) -> None:
    HttpFetcher(LIMITS).download(url, path, length, lambda _: None)


def test_a_file_comes_whole(address: str) -> None:
    assert fetch(address + PATH) == DATA


def test_one_connection_serves_many_files(hub: HubSimulator, address: str) -> None:
    fetcher = HttpFetcher(LIMITS)
    for _ in range(5):
        assert b"".join(fetcher.stream(address + PATH)) == DATA
    assert hub.connections == 1


def test_a_file_comes_from_an_offset_on(address: str) -> None:
    assert fetch(address + PATH, 1000) == DATA[1000:]


def test_a_broken_connection_is_taken_up_where_it_broke(hub: HubSimulator, address: str) -> None:
    hub.broken[PATH] = 100_000
    assert fetch(address + PATH) == DATA
    assert hub.requests == [PATH, PATH]


def test_a_connection_that_keeps_breaking_is_given_up(hub: HubSimulator, address: str) -> None:
    fetcher = HttpFetcher(FetchLimits(attempts=1))
    hub.broken[PATH] = 100_000
    with pytest.raises(HubUnreachableError, match="connection broke"):
        list(fetcher.stream(address + PATH))


def test_a_partial_file_is_completed(hub: HubSimulator, address: str, tmp_path: Path) -> None:
    path = tmp_path / "partial"
    path.write_bytes(DATA[:5000])
    download(address + PATH, path)
    assert path.read_bytes() == DATA


def test_a_complete_file_asks_for_nothing(hub: HubSimulator, address: str, tmp_path: Path) -> None:
    path = tmp_path / "whole"
    path.write_bytes(DATA)
    download(address + PATH, path)
    assert hub.requests == []


def test_a_partial_file_that_is_too_long_is_begun_anew(address: str, tmp_path: Path) -> None:
    path = tmp_path / "partial"
    path.write_bytes(b"x" * (len(DATA) + 1))
    download(address + PATH, path)
    assert path.read_bytes() == DATA


def test_endless_data_is_cut_off(hub: HubSimulator, address: str, tmp_path: Path) -> None:
    hub.endless.add(PATH)
    with pytest.raises(EndlessDataError, match=f"expected {len(DATA)} bytes"):
        download(address + PATH, tmp_path / "file")


def test_a_trickle_is_given_up(hub: HubSimulator, address: str) -> None:
    hub.stalled.add(PATH)
    with pytest.raises(SlowHubError, match="stalling"):
        fetch(address + PATH)


def test_silence_is_given_up(hub: HubSimulator, address: str) -> None:
    hub.chunk_pause_seconds = 1.0
    with pytest.raises(SlowHubError, match="silent"):
        fetch(address + PATH, limits=FetchLimits(silence_seconds=0.2))


def test_what_is_not_there_is_not_asked_for_twice(hub: HubSimulator, address: str) -> None:
    with pytest.raises(HubRefusedError) as caught:
        fetch(address + "/nothing")
    assert caught.value.status_code == 404
    assert hub.requests == ["/nothing"]


def test_a_file_that_lies_elsewhere_is_fetched_from_there_and_gone_on_with(hub: HubSimulator, address: str) -> None:
    elsewhere = HubSimulator()
    elsewhere.files["/bucket/large"] = DATA
    elsewhere.broken["/bucket/large"] = 100_000
    with elsewhere.serve() as bucket:
        hub.moved[PATH] = f"{bucket}/bucket/large"
        assert fetch(address + PATH) == DATA
        assert fetch(address + PATH, 1000) == DATA[1000:]


def test_a_file_elsewhere_is_cut_off_where_it_should_end(hub: HubSimulator, address: str, tmp_path: Path) -> None:
    hub.endless.add(PATH)
    hub.moved["/tuf/targets/moved"] = address + PATH
    with pytest.raises(EndlessDataError, match=f"expected {len(DATA)} bytes"):
        download(address + "/tuf/targets/moved", tmp_path / "file")


def test_a_hub_that_sends_us_in_a_circle_is_refused(hub: HubSimulator, address: str) -> None:
    hub.moved[PATH] = address + PATH
    with pytest.raises(HubRefusedError, match="from place to place"):
        fetch(address + PATH)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://bucket.test/large?key=secret"])
def test_a_redirect_to_what_is_no_web_address_is_refused(hub: HubSimulator, address: str, target: str) -> None:
    hub.moved[PATH] = target
    with pytest.raises(HubRefusedError, match="we follow to http or https only") as refused:
        fetch(address + PATH)
    assert "secret" not in str(refused.value)


def test_a_redirect_from_a_protected_connection_leads_to_a_protected_one() -> None:
    assert _verify_redirect("https://hub.test/a/b", "https://bucket.test/x?key=1", 307) == "https://bucket.test/x?key=1"
    assert _verify_redirect("https://hub.test/a/b", "c", 307) == "https://hub.test/a/c"
    with pytest.raises(HubRefusedError, match="we follow to https only"):
        _verify_redirect("https://hub.test/a", "http://bucket.test/x", 307)


def test_a_hub_that_is_down_is_unreachable() -> None:
    with HubSimulator().serve() as address:
        pass
    with pytest.raises(HubUnreachableError, match="is it up"):
        fetch(address + PATH)


@pytest.mark.parametrize("url", ["ftp://hub.test/x", "hub.test", "/etc/passwd", "file:///etc/passwd"])
def test_only_http_addresses_are_fetched(url: str) -> None:
    with pytest.raises(UsageError, match="expected the address of a hub"):
        fetch(url)
