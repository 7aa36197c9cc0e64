"""Who may come in at the local page's door, and what every answer tells a browser."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from manyheads_client.examine.serving import Address
from manyheads_client.examine.session import Session


def _root(address: Address) -> str:
    return address.lasting.rsplit("/", 2)[0]


def _get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False)


def test_the_address_with_its_key_opens_the_page(client: httpx.Client) -> None:
    answer = client.get("")

    assert answer.status_code == 200
    assert "Covers 3 generators" in answer.text


@pytest.mark.parametrize("path", ["/", "/images", "/x" * 5, "/" + "a" * 43 + "/", "/%00/", "//", "/é/"])
def test_without_the_key_there_is_nothing(address: Address, path: str) -> None:
    answer = _get(_root(address) + path)

    assert answer.status_code == 404
    assert answer.text == "expected the address that the terminal shows\n"


def test_every_page_has_a_key_of_its_own(address: Address, session: Session) -> None:
    parts = urlsplit(address.lasting).path.strip("/"), urlsplit(address.once).path.strip("/")

    assert parts[0] != parts[1]
    assert all(len(part) == 43 for part in parts)  # 256 bits


def test_a_ticket_opens_the_page_once(address: Address) -> None:
    first, second = _get(address.once), _get(address.once)

    assert (first.status_code, first.headers["location"]) == (303, urlsplit(address.lasting).path)
    assert second.status_code == 403
    assert "somebody else" in second.text


@pytest.mark.parametrize("host", ["localhost", "evil.example", "127.0.0.1", "127.0.0.1:1"])
def test_a_name_that_points_here_is_not_this_address(address: Address, host: str) -> None:
    """A site may let its own name point to loopback and then read what it answers (DNS rebinding)."""
    assert _get(address.lasting, Host=host).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:8000"])
def test_another_site_is_refused_even_with_the_key(address: Address, origin: str) -> None:
    assert _get(address.lasting, Origin=origin).status_code == 403


def test_what_changes_something_must_say_where_it_comes_from(address: Address) -> None:
    assert httpx.post(f"{address.lasting}images?name=a", content=b"x", trust_env=False).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_picture_in_another_page_is_refused(address: Address, site: str) -> None:
    assert _get(address.lasting, **{"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize("path", ["", "images", "examine.js", "figures.css", "nowhere", "../"])
def test_every_answer_allows_own_scripts_alone_and_is_kept_nowhere(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]

    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


def test_nobody_outside_this_machine_reaches_it(address: Address) -> None:
    port = urlsplit(address.lasting).port
    outside = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)} - {"127.0.0.1"}
    outside = {one for one in outside if not str(one).startswith("127.")}

    for one in outside:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((str(one), port or 0), timeout=1)
