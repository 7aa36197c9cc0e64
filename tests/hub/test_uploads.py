"""Uploads over HTTP: resumable, checked at the last byte, refused before a byte is read."""

import io
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update
from typing_extensions import Buffer

from manyheads_hub.hub import Hub
from manyheads_hub.settings import Limits
from manyheads_hub.tables import UploadRow
from manyheads_hub.uploads import service
from manyheads_hub.uploads.routes import write_whole
from manyheads_shared.digest import digest_bytes, hex_of
from tests.support.live_hub import Api, Owner, enrol, serving, wait_until

DATA = bytes(range(256)) * 4000  # about 1 MB
DIGEST = digest_bytes(DATA)


@pytest.fixture
def api(hub: Hub, ada: Owner) -> Iterator[Api]:
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        yield api


def limit(hub: Hub, **limits: int) -> None:
    replace(hub.settings, limits=Limits(**limits)).write()


def partial(hub: Hub, contributor: int = 1) -> Path:
    return hub.settings.partial_uploads / str(contributor) / hex_of(DIGEST)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_object_arrives_whole_and_costs_nothing_the_second_time(hub: Hub, api: Api) -> None:
    assert api.offset(DATA) == 0
    assert api.upload(DATA).status_code == 204
    assert api.offset(DATA) == len(DATA)
    assert hub.blobs.read(DIGEST) == DATA
    again = api.append(DIGEST, b"", offset=0, length=len(DATA))
    assert (again.status_code, again.headers["upload-offset"]) == (204, str(len(DATA)))


def test_an_upload_goes_on_where_the_hub_stands(hub: Hub, api: Api) -> None:
    first = api.append(DIGEST, DATA[:600_000], offset=0, length=len(DATA))
    assert (first.headers["upload-offset"], api.offset(DATA)) == ("600000", 600_000)
    api.append(DIGEST, DATA[600_000:], offset=600_000, length=len(DATA)).raise_for_status()
    assert hub.blobs.read(DIGEST) == DATA
    assert not partial(hub).exists()


def test_another_offset_is_refused_with_the_right_one(api: Api) -> None:
    api.append(DIGEST, DATA[:1000], offset=0, length=len(DATA))
    answer = api.append(DIGEST, DATA[2000:3000], offset=2000, length=len(DATA))
    assert (code(answer), answer.headers["upload-offset"]) == ((409, "upload-offset"), "1000")


def test_other_bytes_than_the_address_names_are_thrown_away(hub: Hub, api: Api) -> None:
    answer = api.append(DIGEST, DATA[::-1], offset=0, length=len(DATA))
    assert code(answer) == (422, "digest-mismatch")
    assert (api.offset(DATA), hub.blobs.exists(DIGEST)) == (0, False)


def test_what_arrived_before_the_caller_hung_up_is_kept(hub: Hub, ada: Owner, api: Api) -> None:
    url = httpx.URL(str(api.http.base_url))
    request = (
        f"PATCH /v1/uploads/{DIGEST} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {ada.token}\r\n"
        f"Upload-Offset: 0\r\nUpload-Length: {len(DATA)}\r\nContent-Length: {len(DATA)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(request.encode() + DATA[:500_000])
        wait_until(lambda: partial(hub).exists() and partial(hub).stat().st_size == 500_000)
    wait_until(lambda: api.append(DIGEST, DATA[500_000:], offset=500_000, length=len(DATA)).status_code == 204)
    assert hub.blobs.read(DIGEST) == DATA


@pytest.mark.parametrize("ask", ["HEAD", "PATCH"])
def test_an_upload_whose_last_byte_was_never_checked_is_finished_when_it_is_asked_for(hub: Hub, api: Api, ask: str) -> None:
    leave_unchecked(hub, api, DATA)
    if ask == "HEAD":
        assert api.offset(DATA) == len(DATA)
    else:
        assert api.append(DIGEST, b"", offset=len(DATA), length=len(DATA)).status_code == 204
    with hub.database.read() as session:
        assert session.scalars(select(UploadRow.completed)).one() is not None
    assert (hub.blobs.read(DIGEST), partial(hub).exists()) == (DATA, False)


def test_unchecked_bytes_that_turn_out_to_be_others_are_thrown_away(hub: Hub, api: Api) -> None:
    leave_unchecked(hub, api, DATA[::-1])
    assert (api.offset(DATA), partial(hub).exists()) == (0, False)
    api.upload(DATA).raise_for_status()
    assert hub.blobs.read(DIGEST) == DATA


def leave_unchecked(hub: Hub, api: Api, data: bytes) -> None:
    """What a hub leaves that is killed when the last byte has arrived and is not checked."""
    api.append(DIGEST, data[:-1], offset=0, length=len(DATA)).raise_for_status()
    with partial(hub).open("ab") as stream:
        stream.write(data[-1:])


def test_a_file_that_takes_few_bytes_at_a_time_is_given_them_all() -> None:
    class Sipping(io.BytesIO):
        def write(self, data: Buffer) -> int:
            return super().write(memoryview(data)[:1000])

    stream = Sipping()
    write_whole(stream, DATA)
    assert stream.getvalue() == DATA


def test_two_at_once_leave_one_sound_object(hub: Hub, ada: Owner, api: Api) -> None:
    answers: list[int] = []

    def upload() -> None:
        with Api(str(api.http.base_url), ada.token) as other:
            answers.append(other.upload(DATA).status_code)

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 204 in answers
    assert set(answers) <= {204, 409}
    assert hub.blobs.read(DIGEST) == DATA


def test_an_upload_is_its_makers_alone(hub: Hub, api: Api) -> None:
    api.upload(DATA)
    bob = enrol(hub, "bob", ["gamma"])
    with Api(str(api.http.base_url), bob.token) as other:
        assert other.offset(DATA) == 0  # not even that the hub holds it is told
        other.upload(DATA).raise_for_status()
        assert other.offset(DATA) == len(DATA)


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 1_000_001, (413, "too-large")), (0, 0, (422, "invalid-request")), (-1, 10, (422, "invalid-request"))],
)
def test_impossible_sizes_are_refused(hub: Hub, ada: Owner, offset: int, length: int, expected: tuple[int, str]) -> None:
    limit(hub, upload_bytes=1_000_000)
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        assert code(api.append(DIGEST, b"", offset=offset, length=length)) == expected


def test_a_refusal_comes_before_the_body(ada: Owner, api: Api) -> None:
    url = httpx.URL(str(api.http.base_url))
    for header, status in (("Authorization: Bearer mh_wrong", b"401"), (f"Authorization: Bearer {ada.token}", b"413")):
        request = (
            f"PATCH /v1/uploads/{DIGEST} HTTP/1.1\r\nHost: hub\r\n{header}\r\n"
            f"Upload-Offset: 0\r\nUpload-Length: {1 << 40}\r\nContent-Length: {1 << 40}\r\n\r\n"
        )
        with socket.create_connection((url.host, url.port or 80), timeout=30) as connection:
            connection.sendall(request.encode())  # and not one byte of the terabyte
            assert connection.recv(64).split()[1] == status


def test_more_bytes_than_were_announced_are_refused(hub: Hub, api: Api) -> None:
    assert code(api.append(DIGEST, DATA, offset=0, length=1000)) == (422, "invalid-request")
    headers = {"Upload-Offset": "0", "Upload-Length": "1000"}
    unannounced = api.http.patch(f"/v1/uploads/{DIGEST}", content=iter([DATA]), headers=headers)  # chunked: no length
    assert code(unannounced) == (422, "invalid-request")
    assert partial(hub).stat().st_size <= 1000


def test_a_contributors_share_is_limited(hub: Hub, ada: Owner) -> None:
    limit(hub, contributor_bytes=len(DATA) + 10)
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        api.upload(DATA).raise_for_status()
        assert code(api.upload(b"eleven more")) == (429, "quota")
        api.upload(b"ten  more!").raise_for_status()


def test_another_length_starts_the_upload_again(api: Api) -> None:
    api.append(DIGEST, DATA[:1000], offset=0, length=5000)
    answer = api.append(DIGEST, DATA[1000:2000], offset=1000, length=len(DATA))
    assert (code(answer), answer.headers["upload-offset"]) == ((409, "upload-offset"), "0")
    api.upload(DATA).raise_for_status()
    assert api.offset(DATA) == len(DATA)


def test_an_upload_that_nobody_finishes_is_dropped_after_a_week(hub: Hub, api: Api) -> None:
    api.append(DIGEST, DATA[:1000], offset=0, length=len(DATA))
    assert service.forget_abandoned(hub) == 0
    with hub.database.write() as session:
        session.execute(update(UploadRow).values(created="2026-01-02T03:04:05Z"))
    assert service.forget_abandoned(hub) == 1
    assert (api.offset(DATA), partial(hub).exists()) == (0, False)


@pytest.mark.parametrize("address", ["sha256:12", "md5:" + "0" * 32, "sha256:" + "A" * 64, "..%2f..%2fhub.toml"])
def test_an_address_that_is_no_digest_is_refused(api: Api, address: str) -> None:
    answer = api.http.patch(f"/v1/uploads/{address}", content=b"x", headers={"Upload-Offset": "0", "Upload-Length": "1"})
    assert answer.status_code in (404, 422)
