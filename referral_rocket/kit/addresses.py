"""Which internet addresses we may connect to when somebody else names the host.

A tenant's URL must not reach what only our own machines should reach: private networks, this machine, a cloud's
metadata service. So an address is looked at where the connection is made, after the name was resolved, once; what a
URL or a first look-up says proves nothing. Sources of the ranges: IANA's special-purpose address registries for IPv4
and IPv6 (RFC 6890 and its updates).
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_REFUSED_IPV4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the clouds' metadata service
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Only global unicast is given out. Everything else (loopback, unique local, link-local, multicast, IPv4-mapped and
# IPv4-compatible, NAT64) lies outside it.
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_IPV6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them, which carries an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",  # documentation
    )
)


class AddressRefused(OSError):
    """The address may not be connected to. An OSError, because it is raised in the midst of connecting."""


@lru_cache(maxsize=8)
def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """`10.0.0.0/8` and the like as networks. Raises ValueError for what isn't one."""
    return tuple(ipaddress.ip_network(text.strip()) for text in texts)


def may_connect(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether the address is public, or lies in a network that was allowed."""
    if in_networks(address, allowed):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_IPV4)
    return address in _GLOBAL_IPV6 and not any(address in network for network in _REFUSED_IPV6)


def in_networks(address: Address, allowed: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in allowed)


def check(address: str, allowed: Sequence[Network] = ()) -> None:
    """Raises AddressRefused unless `address`, as the system's resolver writes it, may be connected to."""
    # A link-local address comes with its interface: fe80::1%eth0.
    if not may_connect(ipaddress.ip_address(address.partition("%")[0]), allowed):
        raise AddressRefused(f"{address} is not a public address")


def literal(host: str) -> Address | None:
    """The address that a URL's host spells out, in whatever way; None where it is a name.

    The system's own reading decides, since it is what a connection would use: `2130706433`, `0x7f.1`, `0177.0.0.1` and
    `127.1` all are 127.0.0.1.
    """
    text = host.strip("[]").rstrip(".")
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))
    except (OSError, ValueError):
        return None


def url_problem(url: str, allowed: Sequence[Network] = ()) -> str | None:
    """What is wrong with a URL that we are to post to, in words; None where only the connection can tell more.

    `http` is for addresses in `allowed` alone: elsewhere what is sent could be read on the way.
    """
    if url != url.strip() or any(character.isspace() or ord(character) < 32 for character in url):
        return "A URL has no blanks and no control characters."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "This is not a URL."
    if parts.scheme not in ("http", "https") or not host:
        return "Use a full URL that begins with https://."
    if port == 0:
        return "Port 0 can't be connected to."
    if parts.username is not None or parts.password is not None:
        return "Leave user name and password out of the URL; the signature shows who is calling."
    return _host_problem(host, parts.scheme, allowed)


def _host_problem(host: str, scheme: str, allowed: Sequence[Network]) -> str | None:
    address = literal(host)
    if address is not None and not may_connect(address, allowed):
        return "This address belongs to a private or reserved network."
    if address is None and not allowed and _is_local_name(host):
        return "This name belongs to a private network."
    if scheme == "https" or (address is not None and in_networks(address, allowed)):
        return None
    if address is None and allowed:
        # Whether the name leads into an allowed network is seen when it is resolved, for each connection.
        return None
    return "Use https://, so that nobody on the way can read or change what is sent."


def _is_local_name(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))
