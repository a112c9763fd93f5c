"""A client that costs the machine little: requests made beforehand, over connections that stay open.

On two processors the client competes with what it measures, so it does no more than write bytes and find the end of an
answer.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import uvloop


@dataclass(frozen=True)
class Poured:
    """What came of it. Times in seconds, by answer."""

    seconds: float
    statuses: Counter[int]
    times: Sequence[float]

    @property
    def rate(self) -> float:
        return self.statuses[200] / self.seconds

    def percentile(self, share: float) -> float:
        return sorted(self.times)[min(int(len(self.times) * share), len(self.times) - 1)]


def request(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST as it goes over the wire."""
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def pour(url: str, requests: Sequence[bytes], *, connections: int, seconds: float) -> Poured:
    """Send the requests, each once, for at most so long; an event that is under way at the end is still counted."""
    return uvloop.run(_pour(url, requests, connections, seconds))


async def _pour(url: str, requests: Sequence[bytes], connections: int, seconds: float) -> Poured:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    statuses: Counter[int] = Counter()
    times: list[float] = []
    begun = time.perf_counter()
    ended = []
    for _ in range(connections):
        _, one = await loop.create_connection(
            lambda: _One(waiting, begun + seconds, statuses, times), str(parts.hostname), parts.port or 80
        )
        ended.append(one.ended)
    await asyncio.gather(*ended)
    return Poured(time.perf_counter() - begun, statuses, times)


class _One(asyncio.Protocol):
    """A connection that sends its next request when the answer to the last one is whole."""

    def __init__(self, waiting: Iterator[bytes], until: float, statuses: Counter[int], times: list[float]) -> None:
        self._waiting, self._until, self._statuses, self._times = waiting, until, statuses, times
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sent = 0.0
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not _is_whole(self._answer):
            return
        now = time.perf_counter()
        self._times.append(now - self._sent)
        self._statuses[int(self._answer[9:12])] += 1
        self._answer = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError("The server hung up in the middle of it."))

    def _send(self) -> None:
        self._sent = time.perf_counter()
        following = next(self._waiting, None) if self._sent < self._until else None
        if following is not None:
            self._transport.write(following)
            return
        self.ended.set_result(None)
        self._transport.close()


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, said, rest = head.lower().partition(b"content-length:")
    # In chunks otherwise: the last one is empty.
    return len(body) >= int(rest.split(b"\r\n", 1)[0]) if said else answer.endswith(b"0\r\n\r\n")
