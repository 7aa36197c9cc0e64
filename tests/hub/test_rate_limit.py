"""Limits a minute: by address, by token, for pages, files and sign-ins, with word of when to come again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from manyheads_hub.hub import Hub
from manyheads_hub.rate_limit import address_of, read_storage
from manyheads_hub.settings import Limits
from manyheads_shared.errors import UsageError
from tests.support.live_hub import Owner, serving


@contextmanager
def limited(hub: Hub, **limits: int) -> Iterator[httpx.Client]:
    replace(hub.settings, limits=replace(Limits(), **limits)).write()
    with serving(hub.settings.folder) as url, httpx.Client(base_url=url) as client:
        yield client


def statuses(client: httpx.Client, path: str, count: int, *, method: str = "GET", token: str | None = None) -> list[int]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return [client.request(method, path, headers=headers).status_code for _ in range(count)]


def test_too_many_requests_are_told_when_to_come_again(hub: Hub) -> None:
    with limited(hub, requests_per_minute=3) as client:
        assert statuses(client, "/v1/health", 3) == [200, 200, 200]
        answer = client.get("/v1/health")
    assert (answer.status_code, answer.json()["code"]) == (429, "rate-limit")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_files_have_a_limit_of_their_own(hub: Hub) -> None:
    with limited(hub, requests_per_minute=2, transfers_per_minute=5) as client:
        assert statuses(client, "/tuf/metadata/timestamp.json", 6) == [200] * 5 + [429]
        assert statuses(client, "/v1/health", 3) == [200, 200, 429]


def test_a_token_is_counted_wherever_it_comes_from(hub: Hub, ada: Owner) -> None:
    headers = {"Authorization": f"Bearer {ada.token}"}
    with limited(hub, requests_per_minute=3) as client:
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(base_url=client.base_url, transport=transport, headers=headers) as elsewhere:
            assert statuses(elsewhere, "/v1/account", 2) == [200, 200]
            assert statuses(client, "/v1/account", 2, token=ada.token) == [200, 429]
            assert statuses(client, "/v1/health", 1) == [200]


def test_signing_in_is_limited_more_narrowly(hub: Hub) -> None:
    with limited(hub, sign_ins_per_minute=2) as client:
        assert statuses(client, "/sign-in", 3, method="POST") == [403, 403, 429]
        assert statuses(client, "/sign-in", 1) == [200]
        assert statuses(client, "/v1/enrolment", 1, method="POST") == [429]


def test_one_ipv6_subscriber_is_one_address() -> None:
    first, second = ({"client": (f"2001:db8:1:2::{i}", 1)} for i in (1, 2))
    assert address_of(first) == address_of(second) == "2001:db8:1:2::/64"
    assert address_of({"client": None}) == "unknown"


def test_ipv4_addresses_stay_apart_on_a_socket_of_both_versions() -> None:
    assert address_of({"client": ("::ffff:192.0.2.1", 1)}) == "192.0.2.1"
    assert address_of({"client": ("::ffff:192.0.2.2", 1)}) == "192.0.2.2"


def test_a_browser_is_told_on_a_page(hub: Hub) -> None:
    with limited(hub, requests_per_minute=1) as client:
        headers = {"Accept": "text/html"}
        first, second = (client.get("/", headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert "try again in" in second.text
    assert second.headers["content-type"].startswith("text/html")
    assert int(second.headers["retry-after"]) >= 1


def test_a_store_that_is_none_is_refused_without_showing_its_password() -> None:
    with pytest.raises(UsageError, match="MANYHEADS_RATE_STORAGE") as caught:
        read_storage({"MANYHEADS_RATE_STORAGE": "carrier-pigeon://user:secret@loft"})
    assert "secret" not in str(caught.value)
