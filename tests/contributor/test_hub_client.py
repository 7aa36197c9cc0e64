import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from manyheads_contributor.hub_client import HubClient
from manyheads_hub.hub import open_hub
from manyheads_shared.artifact import read_primary
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.errors import DigestMismatchError, HubRefusedError, HubUnreachableError, ManifestError, UsageError
from tests.support.live_hub import enrol, make_hub, serving
from tests.support.weak_line import weak_line
from tests.support.world import trained_primary

QUICK = (0.05,) * 8


@dataclass(frozen=True)
class LiveHub:
    folder: Path
    url: str
    token: str


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    folder = make_hub(tmp_path_factory.mktemp("hub") / "hub")
    with open_hub(folder) as opened:
        token = enrol(opened).token
    with serving(folder) as url:
        yield LiveHub(folder, url, token)


def _file(path: Path, size: int, seed: int) -> tuple[Path, Digest]:
    data = np.random.default_rng(seed).bytes(size)
    path.write_bytes(data)
    return path, digest_bytes(data)


def test_an_upload_arrives_whole_and_is_not_sent_twice(hub: LiveHub, tmp_path: Path) -> None:
    path, digest = _file(tmp_path / "file", 20 << 20, seed=1)
    with HubClient(hub.url, hub.token) as client:
        assert client.upload(digest, path) == 20 << 20
        assert client.uploaded_bytes(digest) == (20 << 20, True)
        assert client.upload(digest, path) == 0


def test_an_upload_goes_on_through_broken_connections(hub: LiveHub, tmp_path: Path) -> None:
    path, digest = _file(tmp_path / "file", 6 << 20, seed=2)
    positions: list[int] = []
    with weak_line(hub.url, after=2 << 20, breaks=2) as line, HubClient(line.url, hub.token, pauses=QUICK) as client:
        client.upload(digest, path, on_position=positions.append)
        assert client.uploaded_bytes(digest) == (6 << 20, True)
        assert line.broken == 2
    assert positions[-1] == 6 << 20


def test_a_second_client_goes_on_where_the_first_was_cut_off(hub: LiveHub, tmp_path: Path) -> None:
    path, digest = _file(tmp_path / "file", 6 << 20, seed=3)
    with weak_line(hub.url, after=2 << 20, breaks=99) as line:
        first = HubClient(line.url, hub.token, pauses=())
        with first, pytest.raises(HubUnreachableError):
            first.upload(digest, path)
    with HubClient(hub.url, hub.token, pauses=QUICK) as client:
        assert 0 < client.upload(digest, path) <= 5 << 20


def test_bytes_that_are_not_the_digests_are_refused(hub: LiveHub, tmp_path: Path) -> None:
    path, _ = _file(tmp_path / "file", 1000, seed=4)
    with HubClient(hub.url, hub.token) as client, pytest.raises(HubRefusedError, match="digest-mismatch"):
        client.upload(digest_bytes(b"another"), path)


def test_a_token_nobody_knows_is_refused_in_the_hubs_words(hub: LiveHub) -> None:
    with HubClient(hub.url, "mh_wrong") as client, pytest.raises(HubRefusedError, match="not known here") as refused:
        client.list_submissions()
    assert refused.value.status_code == 401


def test_the_current_primary_is_fetched_and_checked(hub: LiveHub, tmp_path: Path) -> None:
    out = tmp_path / "deep/primary.safetensors"
    with HubClient(hub.url) as client:
        info = client.get_primary()
        client.fetch(info.digest, out, max_bytes=info.size_bytes, check=lambda path: read_primary(path.read_bytes()))
    assert digest_bytes(out.read_bytes()) == info.digest == digest_bytes(trained_primary())
    assert [path.name for path in out.parent.iterdir()] == ["primary.safetensors"]


def test_a_download_goes_on_through_broken_connections(hub: LiveHub, tmp_path: Path) -> None:
    out, size = tmp_path / "primary", len(trained_primary())
    with weak_line(hub.url, after=size // 2, breaks=1) as line, HubClient(line.url, pauses=QUICK) as client:
        client.fetch(digest_bytes(trained_primary()), out, max_bytes=size)
        assert line.broken == 1
    assert out.read_bytes() == trained_primary()


def test_what_a_killed_download_left_is_gone_on_with_or_begun_again(hub: LiveHub, tmp_path: Path) -> None:
    data = trained_primary()
    part = tmp_path / f".primary.{hex_of(digest_bytes(data))[:16]}.part"
    part.write_bytes(data[:1000])
    with HubClient(hub.url) as client:
        client.fetch(digest_bytes(data), tmp_path / "primary", max_bytes=len(data))
    assert (tmp_path / "primary").read_bytes() == data
    assert not part.exists()


def test_a_file_that_fails_its_check_gets_no_name(hub: LiveHub, tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise ManifestError("no")

    with HubClient(hub.url) as client, pytest.raises(ManifestError):
        client.fetch(digest_bytes(trained_primary()), tmp_path / "primary", max_bytes=1 << 20, check=refuse)
    assert not (tmp_path / "primary").exists()


def test_an_object_nobody_published_is_refused_at_once(hub: LiveHub, tmp_path: Path) -> None:
    with HubClient(hub.url) as client, pytest.raises(HubRefusedError, match="404"):
        client.fetch(digest_bytes(b"none"), tmp_path / "x", max_bytes=10)


def test_no_hub_at_all_is_said_so() -> None:
    with HubClient("http://127.0.0.1:9", pauses=()) as client, pytest.raises(HubUnreachableError, match="Is it running"):
        client.get_primary()


@pytest.mark.parametrize("url", ["hub.example", "ftp://hub.example", "http://", "http://hub:port", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="expected the hub's address"):
        HubClient(url)


class _NotAHub(BaseHTTPRequestHandler):
    """Answers everything; nothing of it is what a hub would say."""

    def do_GET(self) -> None:
        if self.path.startswith("/v1/objects/"):
            self._answer(200, b"not the bytes you asked for")
        elif self.path == "/v1/primary":
            self._answer(200, b'{"hello": "world"}')
        elif self.path == "/v1/primaries":
            self._answer(502, b"<html>bad gateway</html>")
        else:
            self._answer(301, b"", Location="http://127.0.0.1/elsewhere")

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def stranger() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _NotAHub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_that_is_no_hub_is_told_apart(stranger: str, tmp_path: Path) -> None:
    path, digest = _file(tmp_path / "file", 10, seed=5)
    with HubClient(stranger, "mh_x", pauses=()) as client:
        with pytest.raises(ManifestError, match="not that of a hub"):
            client.get_primary()
        with pytest.raises(HubRefusedError, match=r"502.*something that is not a hub answered"):
            client.list_primaries()
        with pytest.raises(HubRefusedError, match="it points to"):
            client.list_submissions()
        with pytest.raises(ManifestError, match="Upload-Offset"):
            client.upload(digest, path)


def test_wrong_bytes_from_a_server_are_thrown_away(stranger: str, tmp_path: Path) -> None:
    with HubClient(stranger) as client, pytest.raises(DigestMismatchError):
        client.fetch(digest_bytes(b"x"), tmp_path / "x", max_bytes=1000)
    assert list(tmp_path.iterdir()) == []
