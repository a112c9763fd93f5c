"""Connections to addresses that tenants name, and the guard that every one of them goes through.

The host is resolved once for each connection and every address of the answer is judged; what was judged is what is
connected to. A socket is made only for an address that passes (a URL may hold an address instead of a name, which no
resolver sees). Redirects aren't followed, so there is no second address to judge.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.http_writer import StreamWriter
from django.conf import settings

from referral_rocket.kit.addresses import AddressRefused, Network, check, in_networks, networks
from referral_rocket.kit.addresses import literal as literal_address

# Servers commonly close idle connections after 5 s; a request on one that is being closed would count as a failure.
KEEP_ALIVE_SECONDS = 4.0
DNS_CACHE_SECONDS = 10
# A look-up can't be interrupted, and a name server that hangs takes a thread: so there are enough for others.
RESOLVER_THREADS = 64


def allowed_networks() -> tuple[Network, ...]:
    return networks(tuple(settings.WEBHOOK_ALLOWED_PRIVATE_NETWORKS))


def check_address(address: str, allowed: Sequence[Network], *, only_allowed: bool) -> None:
    """Raises AddressRefused. `only_allowed` is for http, which is nothing for the open internet."""
    check(address, allowed)
    if only_allowed:
        parsed = literal_address(address)
        if parsed is None or not in_networks(parsed, allowed):
            raise AddressRefused(f"{address} may only be called by https")


class GuardedResolver(AbstractResolver):
    """Resolves a name and refuses the whole answer where any address of it may not be connected to."""

    def __init__(self, allowed: Sequence[Network], *, only_allowed: bool) -> None:
        self._allowed = allowed
        self._only_allowed = only_allowed
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolving")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        look_up = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        answers: list[ResolveResult] = []
        for kind, _, protocol, _, place in found:
            address = str(place[0])
            check_address(address, self._allowed, only_allowed=self._only_allowed)
            answers.append(
                ResolveResult(
                    hostname=host, host=address, port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
                )
            )
        if not answers:
            raise OSError("the name has no address")
        return answers

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class OneWrite(aiohttp.ClientRequest):
    """A request whose body, some kilobytes, goes out in one write together with its headers.

    Below Python 3.12 aiohttp makes a task of its own for each body, which costs a fifth of the whole request; above it
    this does what aiohttp does.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        protocol = conn.protocol
        assert protocol is not None
        assert isinstance(self.body, aiohttp.BytesPayload)
        writer = StreamWriter(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        await self.body.write(writer)
        await writer.write_eof()
        protocol.start_timeout()
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self.session,
            stream_writer=writer,
        )


class Sessions:
    """The open connections of one process: those by https, and those by http into allowed networks.

    `timeout` in seconds, for a whole request.
    """

    def __init__(self, *, at_once: int, timeout: float, context: ssl.SSLContext | None = None) -> None:
        self.timeout = timeout
        allowed = allowed_networks()
        self._https = _session(allowed, only_allowed=False, at_once=at_once, timeout=timeout, context=context)
        self._http = _session(allowed, only_allowed=True, at_once=at_once, timeout=timeout, context=context)

    def for_url(self, url: str) -> aiohttp.ClientSession:
        return self._https if url.lower().startswith("https:") else self._http

    async def close(self) -> None:
        await self._https.close()
        await self._http.close()


def _session(
    allowed: Sequence[Network], *, only_allowed: bool, at_once: int, timeout: float, context: ssl.SSLContext | None
) -> aiohttp.ClientSession:
    def make_socket(place: tuple[object, ...]) -> socket.socket:
        family, kind, protocol, _, address = place
        check_address(str(address[0]), allowed, only_allowed=only_allowed)  # type: ignore[index]
        made = socket.socket(family, kind, protocol)  # type: ignore[arg-type]
        made.setblocking(False)
        return made

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=at_once,
            resolver=GuardedResolver(allowed, only_allowed=only_allowed),
            ttl_dns_cache=DNS_CACHE_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            socket_factory=make_socket,
            ssl=True if context is None else context,
        ),
        timeout=aiohttp.ClientTimeout(total=timeout),
        request_class=OneWrite,
        cookie_jar=aiohttp.DummyCookieJar(),
        # A compressed answer could unfold to any size.
        auto_decompress=False,
        trust_env=False,
    )
