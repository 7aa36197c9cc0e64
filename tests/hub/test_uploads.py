"""Uploads over HTTP: resumable, checked at the last byte, refused before a byte is read."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest
from sqlalchemy import select, update

from manyheads_hub.hub import Hub
from manyheads_hub.settings import Limits
from manyheads_hub.tables import UploadRow
from manyheads_hub.uploads import service
from manyheads_hub.uploads.pieces import PIECE_BYTES, write_piece
from manyheads_shared.digest import digest_bytes, hex_of
from tests.support.grounds import GROUNDS
from tests.support.live_hub import Api, Owner, enrol, serving, wait_until

pytestmark = pytest.mark.parametrize("ground", GROUNDS, indirect=True)

DATA = bytes(range(256)) * 4000  # about 1 MB
DIGEST = digest_bytes(DATA)


@pytest.fixture
def api(hub: Hub, ada: Owner) -> Iterator[Api]:
    with serving(hub.settings.folder) as url, Api(url, ada.token) as api:
        yield api


def limit(hub: Hub, **limits: int) -> None:
    replace(hub.settings, limits=Limits(**limits)).write()


def held(hub: Hub, contributor: int = 1) -> int:
    """Bytes of an upload under way that lie in the storage."""
    return sum(file.size for file in hub.storage.list(f"uploads/{contributor}/{hex_of(DIGEST)}"))


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
    assert held(hub) == 0


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
        time.sleep(0.2)
    wait_until(lambda: api.offset(DATA))
    offset = api.offset(DATA)
    assert offset <= 500_000
    api.append(DIGEST, DATA[offset:], offset=offset, length=len(DATA)).raise_for_status()
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
    assert (hub.blobs.read(DIGEST), held(hub)) == (DATA, 0)


def test_unchecked_bytes_that_turn_out_to_be_others_are_thrown_away(hub: Hub, api: Api) -> None:
    leave_unchecked(hub, api, DATA[::-1])
    assert (api.offset(DATA), held(hub)) == (0, 0)
    api.upload(DATA).raise_for_status()
    assert hub.blobs.read(DIGEST) == DATA


def leave_unchecked(hub: Hub, api: Api, data: bytes) -> None:
    """What a hub leaves that is killed when the last byte has arrived and is not checked."""
    api.append(DIGEST, data[:-1], offset=0, length=len(DATA)).raise_for_status()
    write_piece(hub.storage, 1, DIGEST, 0, data)


def test_many_small_appends_are_gathered_to_one_piece(hub: Hub, api: Api) -> None:
    for offset in range(0, 5000, 1000):
        api.append(DIGEST, DATA[offset : offset + 1000], offset=offset, length=len(DATA)).raise_for_status()
    assert [file.size for file in hub.storage.list("uploads")] == [5000]


def test_an_object_of_several_pieces_arrives_in_parts_that_end_anywhere(hub: Hub, api: Api) -> None:
    data = DATA * 11  # 11 MB: three pieces
    ends = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 5, 2 * PIECE_BYTES + 7, len(data)]
    for start, end in pairwise(ends):
        api.append(digest_bytes(data), data[start:end], offset=start, length=len(data)).raise_for_status()
        assert api.offset(data) == end
    assert hub.blobs.read(digest_bytes(data)) == data
    assert list(hub.storage.list("uploads")) == []


def test_a_piece_beyond_a_gap_counts_nowhere_and_is_dropped(hub: Hub, api: Api) -> None:
    api.append(DIGEST, DATA[:1000], offset=0, length=len(DATA)).raise_for_status()
    write_piece(hub.storage, 1, DIGEST, PIECE_BYTES, DATA)
    assert api.offset(DATA) == 1000
    api.append(DIGEST, DATA[1000:2000], offset=1000, length=len(DATA)).raise_for_status()
    assert (api.offset(DATA), held(hub)) == (2000, 2000)


def test_a_shorter_piece_replaces_no_longer_one(hub: Hub, api: Api) -> None:
    api.append(DIGEST, DATA[:2000], offset=0, length=len(DATA)).raise_for_status()
    write_piece(hub.storage, 1, DIGEST, 0, DATA[:1000])
    assert api.offset(DATA) == 2000


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
    assert (hub.blobs.read(DIGEST), held(hub)) == (DATA, 0)


def test_two_contributors_with_the_same_object_at_once_both_have_it(hub: Hub, ada: Owner, api: Api) -> None:
    bob = enrol(hub, "bob", ["gamma"])

    def upload(token: str) -> int:
        with Api(str(api.http.base_url), token) as other:
            return other.upload(DATA).status_code

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(upload, [ada.token, bob.token])) == [204, 204]
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
    assert held(hub) <= 1000


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


def test_an_upload_that_nobody_goes_on_with_is_dropped(hub: Hub, api: Api) -> None:
    api.append(DIGEST, DATA[:1000], offset=0, length=len(DATA))
    assert service.forget_abandoned(hub, datetime.now(UTC) - timedelta(hours=1)) == 0
    assert service.forget_abandoned(hub, datetime.now(UTC) + timedelta(hours=1)) == 1
    assert (api.offset(DATA), held(hub)) == (0, 0)


def test_an_upload_begun_long_ago_to_which_bytes_still_come_is_kept(hub: Hub, api: Api) -> None:
    api.append(DIGEST, DATA[:1000], offset=0, length=len(DATA))
    with hub.database.write() as session:
        session.execute(update(UploadRow).values(created="2026-01-02T03:04:05Z"))
    assert service.forget_abandoned(hub, datetime.now(UTC) - timedelta(hours=1)) == 0
    assert api.offset(DATA) == 1000


def test_pieces_that_a_kill_left_beside_a_finished_upload_are_dropped(hub: Hub, api: Api) -> None:
    api.upload(DATA).raise_for_status()
    write_piece(hub.storage, 1, DIGEST, 0, DATA)
    assert service.forget_abandoned(hub, datetime.now(UTC) + timedelta(hours=1)) == 0
    assert (api.offset(DATA), held(hub)) == (len(DATA), 0)


@pytest.mark.parametrize("address", ["sha256:12", "md5:" + "0" * 32, "sha256:" + "A" * 64, "..%2f..%2fhub.toml"])
def test_an_address_that_is_no_digest_is_refused(api: Api, address: str) -> None:
    answer = api.http.patch(f"/v1/uploads/{address}", content=b"x", headers={"Upload-Offset": "0", "Upload-Length": "1"})
    assert answer.status_code in (404, 422)
