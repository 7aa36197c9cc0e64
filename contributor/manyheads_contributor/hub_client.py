"""Talking to a hub: requests, refusals in its own words, transfers that go on where they stopped.

The protocol is in `manyheads_shared.api`. What to send is decided in `submission`; nothing here reads images or weights.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from manyheads_shared import __version__
from manyheads_shared.accounts import AccountInfo, Enrolled, EnrolmentInfo, KeyInfo
from manyheads_shared.api import (
    API_PREFIX,
    LENGTH_HEADER,
    OFFSET_HEADER,
    UPLOAD_CHUNK_BYTES,
    BudgetInfo,
    ChallengeAnswer,
    ChallengeInfo,
    Notice,
    PrimaryInfo,
    Problem,
    SubmissionInfo,
    SubmissionRequest,
)
from manyheads_shared.digest import Digest, digest_file, hex_of
from manyheads_shared.errors import (
    DigestMismatchError,
    FetchError,
    HubRefusedError,
    HubUnreachableError,
    ManifestError,
    UsageError,
)

PIECE_BYTES = 256 << 10  # read or written at once: the step of a progress bar, and what a kill can cost
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0  # without a byte
OFFER_SECONDS = 300.0  # the hub decodes every proof image before it answers
PAUSES = (
    0.5,
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
    32.0,
)  # seconds between attempts that bring no byte: as long as the hub holds a dead upload

_PASSING_STATUS = (408, 429, 500, 502, 503, 504)
_NOT_FOUND = 404  # of an address that an earlier version does not serve
_PASSING_CODES = ("upload-offset", "conflict")  # of an upload: another request was, or still is, appending
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

T = TypeVar("T")
OnPosition = Callable[[int], None]


class HubClient:
    """One hub, over one pool of connections; threads may share it.

    Args:
        url: the hub's address, `http://…` or `https://…`.
        token: a contributor's; what is public needs none.
        pauses: seconds before each further attempt of a transfer.
    """

    def __init__(self, url: str, token: str | None = None, *, pauses: tuple[float, ...] = PAUSES) -> None:
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise UsageError(f"expected the hub's address like https://hub.example, got {url!r}: {error}") from error
        if address.scheme not in ("http", "https") or not address.host:
            raise UsageError(f"expected the hub's address like https://hub.example, got {url!r}")
        self.url = str(address).rstrip("/")
        self.is_private = address.scheme == "https" or address.host in _LOOPBACK
        self._pauses = pauses
        headers = {"User-Agent": f"manyheads-contributor/{__version__}", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def get_primary(self) -> PrimaryInfo:
        """Return the hub's current primary."""
        return _parse(self._request("GET", f"{API_PREFIX}/primary"), PrimaryInfo)

    def list_primaries(self) -> list[PrimaryInfo]:
        """Return every primary the hub has published, newest first."""
        return _parse(self._request("GET", f"{API_PREFIX}/primaries"), list[PrimaryInfo])

    def list_submissions(self) -> list[SubmissionInfo]:
        """Return the token's owner's submissions, newest first."""
        return _parse(self._request("GET", f"{API_PREFIX}/submissions"), list[SubmissionInfo])

    def get_submission(self, submission_id: str) -> SubmissionInfo:
        """Return one of the token's owner's submissions."""
        return _parse(self._request("GET", f"{API_PREFIX}/submissions/{submission_id}"), SubmissionInfo)

    def list_notices(self) -> list[Notice]:
        """Return what the hub's present primary means for the owner's heads; nothing from a hub of an earlier version."""
        try:
            return _parse(self._request("GET", f"{API_PREFIX}/notices"), list[Notice])
        except HubRefusedError as error:
            if error.status_code != _NOT_FOUND:
                raise
            return []

    def get_account(self) -> AccountInfo:
        """Return who the token stands for, and what it may."""
        return _parse(self._request("GET", f"{API_PREFIX}/account"), AccountInfo)

    def get_budget(self) -> BudgetInfo:
        """Return what the token's owner has used and may use."""
        return _parse(self._request("GET", f"{API_PREFIX}/budget"), BudgetInfo)

    def get_enrolment(self) -> EnrolmentInfo:
        """Return what the invitation is for, and the nonce to sign. The client's token is the invitation's code."""
        return _parse(self._request("GET", f"{API_PREFIX}/enrolment"), EnrolmentInfo)

    def enrol(self, proof: bytes) -> Enrolled:
        """Enrol with a proof of possession; the invitation is then used up."""
        return _parse(self._request("POST", f"{API_PREFIX}/enrolment", json={"proof": proof.decode()}), Enrolled)

    def rotate_key(self, proof: bytes) -> KeyInfo:
        """Replace the owner's key by one whose possession is proven, signed for by the present one."""
        return _parse(self._request("POST", f"{API_PREFIX}/account/keys", json={"proof": proof.decode()}), KeyInfo)

    def submit(self, request: SubmissionRequest) -> SubmissionInfo:
        """Offer a head; everything it names was uploaded before.

        Raises:
            HubUnreachableError: no answer came. Whether the hub took the offer is then unknown; offering again is safe, for
                a hub takes one name and version once.
        """
        body = request.model_dump(mode="json")
        return _parse(self._request("POST", f"{API_PREFIX}/submissions", json=body, timeout=OFFER_SECONDS), SubmissionInfo)

    def get_challenge(self, submission_id: str) -> ChallengeInfo:
        """Return the ownership challenge of one of the token's owner's submissions."""
        return _parse(self._request("GET", f"{API_PREFIX}/submissions/{submission_id}/challenge"), ChallengeInfo)

    def answer_challenge(self, submission_id: str, answer: ChallengeAnswer) -> ChallengeInfo:
        """Answer an ownership challenge; everything it names was uploaded before. The same answer again is safe."""
        path, body = f"{API_PREFIX}/submissions/{submission_id}/challenge", answer.model_dump(mode="json")
        return _parse(self._request("POST", path, json=body, timeout=OFFER_SECONDS), ChallengeInfo)

    def uploaded_bytes(self, digest: Digest) -> tuple[int, bool]:
        """Return how many bytes of an object the hub holds from this owner, and whether that is all of it."""
        response = self._request("HEAD", f"{API_PREFIX}/uploads/{digest}")
        offset = _offset_of(response)
        return offset, response.headers.get(LENGTH_HEADER) == str(offset)

    def upload(self, digest: Digest, path: Path, *, on_position: OnPosition | None = None) -> int:
        """Upload a file from where the hub stands, through broken connections and restarts of the hub.

        Args:
            on_position: called with how many of the file's bytes have gone out; lower than before when some were lost.

        Returns:
            How many bytes the hub took; 0 when it held them all.

        Raises:
            HubUnreachableError: no attempt brought a byte further. What has arrived stays.
            HubRefusedError: the hub says no.
        """
        length = path.stat().st_size
        patience, begun_at = _Patience(self._pauses), None
        while True:
            try:
                offset, complete = self.uploaded_bytes(digest)
                begun_at = offset if begun_at is None else begun_at
                _tell(on_position, offset)
                while not complete:
                    patience.reached(offset)
                    offset = self._append(digest, path, offset=offset, length=length, on_position=on_position)
                    complete = offset == length
            except FetchError as error:
                patience.bear(error)
            else:
                return length - begun_at

    def fetch(
        self,
        digest: Digest,
        out: Path,
        *,
        max_bytes: int,
        check: Callable[[Path], object] | None = None,
        on_position: OnPosition | None = None,
    ) -> None:
        """Download an object to a file that is whole and checked, or absent. What a killed download left is gone on with.

        Args:
            max_bytes: a download is cut off there.
            check: called with the file before it gets its name; raises when it is not what was wanted.
            on_position: called with how many bytes have come.

        Raises:
            DigestMismatchError: other bytes came; they are thrown away.
            HubUnreachableError: no attempt brought a byte further. What has come stays.
            HubRefusedError: the hub says no.
        """
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(f".{out.name}.{hex_of(digest)[:16]}.part")
        patience, complete = _Patience(self._pauses), False
        while not complete:
            try:
                patience.reached(part.stat().st_size if part.exists() else 0)
                self._fetch_rest(digest, part, max_bytes, on_position)
                complete = True
            except FetchError as error:
                patience.bear(error)
        actual = digest_file(part)
        if actual != digest:
            part.unlink()
            raise DigestMismatchError(out.name, digest, actual)
        if check:
            check(part)
        part.replace(out)

    def _append(self, digest: Digest, path: Path, *, offset: int, length: int, on_position: OnPosition | None) -> int:
        """Send one chunk and return the offset the hub then holds."""
        size = min(UPLOAD_CHUNK_BYTES, length - offset)
        headers = {OFFSET_HEADER: str(offset), LENGTH_HEADER: str(length), "Content-Length": str(size)}
        body = _pieces(path, offset, size, on_position)
        return _offset_of(self._request("PATCH", f"{API_PREFIX}/uploads/{digest}", content=body, headers=headers))

    def _fetch_rest(self, digest: Digest, part: Path, max_bytes: int, on_position: OnPosition | None) -> None:
        """Append what is missing to `part`; from its beginning when the hub does not serve parts."""
        held = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
        with _reaching(self.url), self._open(f"{API_PREFIX}/objects/{digest}", headers) as response:
            if response.status_code == 416:  # nothing is missing, or `part` is not a beginning: the digest will tell
                return
            if not response.is_success:
                response.read()
                raise _refusal(response)
            goes_on = response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {held}-")
            with part.open("ab" if goes_on else "wb") as stream:
                for piece in response.iter_bytes(PIECE_BYTES):
                    if stream.tell() + len(piece) > max_bytes:
                        return  # not the object: its digest will tell
                    stream.write(piece)
                    _tell(on_position, stream.tell())
                stream.flush()
                os.fsync(stream.fileno())

    @contextmanager
    def _open(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Open a download at the hub, or where it sends us once: large files may lie in a bucket. The token stays here."""
        with self._http.stream("GET", path, headers=headers) as response:
            if not response.has_redirect_location:
                yield response
                return
            address = response.url.join(response.headers["Location"])
            if address.scheme != "https" and (address.scheme != "http" or response.url.scheme == "https"):
                response.read()
                raise _refusal(response)
        with httpx.stream("GET", address, headers=headers, timeout=self._http.timeout) as response:
            yield response

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        with _reaching(self.url):
            response = self._http.request(method, path, **arguments)
        if not response.is_success:
            raise _refusal(response)
        return response


def is_passing(error: FetchError) -> bool:
    """Whether asking again later may help: no answer, or one of a hub or of a proxy before it that is starting or busy."""
    return not isinstance(error, HubRefusedError) or error.status_code in _PASSING_STATUS


class _Patience:
    """Further attempts of one transfer: a pause before each, all of them anew whenever a byte got through."""

    def __init__(self, pauses: tuple[float, ...]) -> None:
        self._pauses, self._failures, self._furthest = pauses, 0, -1

    def reached(self, position: int) -> None:
        """Note where the transfer stands."""
        if position > self._furthest:
            self._furthest, self._failures = position, 0

    def bear(self, error: FetchError) -> None:
        """Wait before another attempt; raise `error` when another would not help, or there were enough."""
        if not is_passing(error) and not (isinstance(error, HubRefusedError) and error.code in _PASSING_CODES):
            raise error
        if self._failures == len(self._pauses):
            raise error
        time.sleep(self._pauses[self._failures])
        self._failures += 1


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    """Turn what httpx says of the way to the hub into our words."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise HubUnreachableError(
            f"{url}: no answer in time ({type(error).__name__}); is the hub busy? Run this again"
        ) from error
    except httpx.HTTPError as error:
        raise HubUnreachableError(
            f"{url}: the hub cannot be reached: {error or type(error).__name__}. Is it running, and is this its address?"
        ) from error


def _refusal(response: httpx.Response) -> HubRefusedError:
    """Return a refusal in the hub's words, or in ours when something else answered."""
    status = response.status_code
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        if response.has_redirect_location:
            words = f"it points to {response.headers['Location'][:200]}; is that the hub's address?"
        elif response.request.method == "HEAD":
            words = f"{response.reason_phrase or 'no reason given'}"
        else:
            words = f"something that is not a hub answered: {response.text[:200]!r}"
        return HubRefusedError(status, "refused", words)
    return HubRefusedError(status, problem.code, problem.detail)


def _parse(response: httpx.Response, shape: type[T]) -> T:
    try:
        return TypeAdapter(shape).validate_json(response.content)
    except ValidationError as error:
        raise ManifestError(
            f"{response.request.url}: the answer is not that of a hub this kit knows: {error.errors()[0]['msg']}. "
            "Is this a hub's address, and is manyheads up to date?"
        ) from error


def _offset_of(response: httpx.Response) -> int:
    offset = response.headers.get(OFFSET_HEADER, "")
    if not offset.isdecimal():
        raise ManifestError(f"{response.request.url}: the answer has no {OFFSET_HEADER}; is this a hub's address?")
    return int(offset)


def _pieces(path: Path, offset: int, size: int, on_position: OnPosition | None) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(offset)
        end = offset + size
        while offset < end:
            piece = stream.read(min(PIECE_BYTES, end - offset))
            if not piece:
                raise UsageError(f"{path} became shorter while it was uploaded; submit again")
            yield piece
            offset += len(piece)
            _tell(on_position, offset)


def _tell(on_position: OnPosition | None, position: int) -> None:
    if on_position:
        on_position(position)
