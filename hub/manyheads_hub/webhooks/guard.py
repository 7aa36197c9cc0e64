"""Where a webhook may lead: to public addresses, unless its maintainer allowed the hub's own network.

A name is resolved once, every address it has is looked at, and the one that is called is one of these: what a name server says
a second later does not count.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from manyheads_hub.errors import HubError, InvalidRequestError

MAX_URL_CHARACTERS = 2000
_INTO_IPV4 = tuple(  # IPv6 that leads to an IPv4 address inside it: no receiver is published under one, an attacker's may be
    ipaddress.IPv6Network(network) for network in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)


class ForbiddenAddressError(HubError):
    """A webhook leads where it may not."""


def check_url(url: str) -> None:
    """Check that an address has the form of a webhook's.

    Raises:
        InvalidRequestError: it is no http or https address, is too long, or holds a name and password.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidRequestError(f"expected an address like https://lab.example/hook, got {url[:200]!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or len(url) > MAX_URL_CHARACTERS:
        raise InvalidRequestError(f"expected an address like https://lab.example/hook, got {url[:200]!r}")
    if parts.username or parts.password:
        raise InvalidRequestError("expected an address without a name and password: messages are signed instead")


def resolve(url: str, *, allow_private: bool) -> str:
    """Return the address to connect to.

    Raises:
        ForbiddenAddressError: the name leads to an address that is not public, were it one of several.
        OSError: there is no such name.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not allow_private and not _is_public(address):
            raise ForbiddenAddressError(
                f"{parts.hostname} leads to {address}, which is no public address; "
                "a maintainer may allow it in the hub's folder: `manyheads-hub webhooks add --allow-private`"
            )
    return found[0]


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.version == 6 and (parsed.is_site_local or any(parsed in network for network in _INTO_IPV4)):
        return False
    return parsed.is_global and not parsed.is_multicast
