"""Bytes from the hub, with limits. Nothing that comes through here is trusted; `trust` and `update` verify it.

`Fetcher` is what the rest of the client talks to, and also the TUF library's own interface, so that metadata and objects
take the same way. `HttpFetcher` goes over HTTP; the tests' hub simulator is the other implementation.
"""

import abc
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

from manyheads_client.errors import EndlessDataError, SlowHubError
from manyheads_shared import __version__
from manyheads_shared.errors import HubRefusedError, HubUnreachableError, UsageError

MAX_REDIRECTS = 5

_TOO_MANY_REQUESTS = 429
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True)
class FetchLimits:
    """How patient the client is."""

    connect_seconds: float = 10.0
    silence_seconds: float = 30.0  # longest wait for the next byte
    grace_seconds: float = 20.0  # before the rate counts
    bytes_per_second: float = 1024.0  # below this a hub stalls us: 1 MB would take a quarter of an hour
    attempts: int = 4  # for a broken connection or a 5xx answer
    pause_seconds: float = 0.5  # before the second attempt; doubles each time
    chunk_bytes: int = 1 << 16


class Fetcher(FetcherInterface, abc.ABC):
    """A way to the hub."""

    @abc.abstractmethod
    def stream(self, url: str, offset: int = 0) -> Iterator[bytes]:
        """Yield the bytes of `url` from `offset` on.

        Raises:
            HubRefusedError: the hub answered 4xx.
            HubUnreachableError: no answer, or a broken one.
            SlowHubError: an answer that trickles.
        """

    def download(self, url: str, path: Path, length: int, on_chunk: Callable[[int], None]) -> None:
        """Complete `path` to `length` bytes, going on from what is there. The caller verifies the content.

        Args:
            on_chunk: told the bytes of every chunk, and first of what was there already; what it raises passes through.

        Raises:
            EndlessDataError: more than `length` bytes came.
            FetchError: as `stream`; what came is kept for the next time.
        """
        with path.open("ab") as file:
            position = file.tell()
            if position > length:
                position = 0
                file.truncate(0)
            on_chunk(position)
            if position < length:
                for chunk in self.stream(url, position):
                    position += len(chunk)
                    if position > length:
                        raise EndlessDataError(f"{url}: expected {length} bytes, and more keep coming; nothing of it is used")
                    file.write(chunk)
                    on_chunk(len(chunk))
            file.flush()
            os.fsync(file.fileno())

    def _fetch(self, url: str) -> Iterator[bytes]:
        """The TUF library's side. A generator, so that our errors reach its caller as they are."""
        try:
            yield from self.stream(url)
        except HubRefusedError as error:  # the library takes 403 and 404 for "no newer root"
            raise DownloadHTTPError(str(error), error.status_code) from error


class HttpFetcher(Fetcher):
    """HTTP with the system's certificates, proxies from the environment, resumed where a connection broke."""

    def __init__(self, limits: FetchLimits | None = None) -> None:
        self.limits = limits or FetchLimits()
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    def stream(self, url: str, offset: int = 0) -> Iterator[bytes]:
        """Yield the bytes of `url` from `offset` on; see `Fetcher.stream`."""
        limits, position = self.limits, offset
        for attempt in range(1, limits.attempts + 1):
            try:
                for chunk in self._request(url, position):
                    position += len(chunk)
                    yield chunk
            except HubUnreachableError:
                if attempt == limits.attempts:
                    raise
                time.sleep(limits.pause_seconds * 2 ** (attempt - 1))
            else:
                return

    def _request(self, url: str, offset: int) -> Iterator[bytes]:
        """One request, one answer."""
        headers = {"User-Agent": f"manyheads/{__version__}", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        response = self._follow(url, headers)
        try:
            if response.status == _RANGE_NOT_SATISFIABLE:
                return  # nothing after `offset`; whether that is right, the digest tells
            _refuse_status(response, url)
            skip = 0 if response.status == _PARTIAL_CONTENT else offset  # a server may ignore Range and send all
            yield from _skip(self._watch(response, url), skip)
        finally:
            response.close()

    def _follow(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """Ask, and go where the hub sends us: large files may lie in a bucket. Nothing secret is sent, there or here."""
        address = url
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask(address, headers)
            location = response.get_redirect_location()
            if not location:
                return response
            response.close()
            address = _verify_redirect(address, location, response.status)
        raise HubRefusedError(response.status, "too many redirects", f"{url}: the hub sends us from place to place.")

    def _ask(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool(url).request(
                "GET",
                url,
                headers=headers,
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(connect=self.limits.connect_seconds, read=self.limits.silence_seconds),
            )
        except urllib3.exceptions.HTTPError as error:
            raise HubUnreachableError(
                f"{_without_query(url)}: no answer ({_reason(error)}). Is the hub's address right, and is it up?"
            ) from error

    def _watch(self, response: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
        """Yield what arrives, as long as it arrives fast enough."""
        limits, started, received = self.limits, time.monotonic(), 0
        while True:
            try:
                chunk = response.read1(limits.chunk_bytes)
            except urllib3.exceptions.ReadTimeoutError as error:
                raise SlowHubError(
                    f"{url}: the hub fell silent for {limits.silence_seconds:g} s; pull again to go on"
                ) from error
            except urllib3.exceptions.HTTPError as error:
                raise HubUnreachableError(f"{url}: the connection broke ({_reason(error)}); pull again to go on") from error
            if not chunk:
                return
            received += len(chunk)
            elapsed = time.monotonic() - started
            if elapsed > limits.grace_seconds and received < limits.bytes_per_second * elapsed:
                raise SlowHubError(
                    f"{url}: expected at least {limits.bytes_per_second:g} bytes a second, got {received / elapsed:.0f}. "
                    "Somebody may be stalling this update; pull again, or over another network."
                )
            yield chunk

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"expected the address of a hub, like https://hub.example, got {url!r}")
        proxy = None if proxy_bypass(parts.hostname) else getproxies().get(parts.scheme)
        if proxy not in self._pools:
            self._pools[proxy] = urllib3.ProxyManager(proxy, maxsize=8) if proxy else urllib3.PoolManager(maxsize=8)
        return self._pools[proxy]


def _verify_redirect(address: str, location: str, status: int) -> str:
    """Return where a redirect leads.

    Raises:
        HubRefusedError: to no web address, or from a protected connection to an open one.
    """
    target = urljoin(address, location)
    allowed = ("https",) if urlsplit(address).scheme == "https" else ("http", "https")
    if urlsplit(target).scheme not in allowed:
        raise HubRefusedError(
            status, "redirect", f"{address} sends us to {_without_query(target)}, and we follow to {' or '.join(allowed)} only."
        )
    return target


def _without_query(url: str) -> str:
    """Return an address without what may open a bucket to others."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _refuse_status(response: urllib3.BaseHTTPResponse, url: str) -> None:
    status = response.status
    if status >= 500 or status == _TOO_MANY_REQUESTS:
        raise HubUnreachableError(f"{url}: the hub answered {status} {response.reason or ''}; try again later")
    if status >= 400:
        raise HubRefusedError(status, response.reason or "", f"{url} is not there. Is this the address of a hub?")


def _skip(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Drop the first `count` bytes."""
    for chunk in chunks:
        if len(chunk) > count:
            yield chunk[count:]
        count = max(count - len(chunk), 0)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)[:200]
