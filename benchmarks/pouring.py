"""A client that costs the machine little: requests made beforehand, over connections that stay open.

On two processors the client competes with what it measures, so it does no more than write bytes and find the end of an
answer.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


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
    return asyncio.run(_pour(url, requests, connections, seconds))


async def _pour(url: str, requests: Sequence[bytes], connections: int, seconds: float) -> Poured:
    waiting = iter(requests)
    statuses: Counter[int] = Counter()
    times: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(_one(url, waiting, begun + seconds, statuses, times) for _ in range(connections)))
    return Poured(time.perf_counter() - begun, statuses, times)


async def _one(url: str, waiting: Iterator[bytes], until: float, statuses: Counter[int], times: list[float]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for each in waiting:
        sent = time.perf_counter()
        if sent > until:
            break
        writer.write(each)
        head = await reader.readuntil(b"\r\n\r\n")
        await _read_body(reader, head.lower())
        times.append(time.perf_counter() - sent)
        statuses[int(head.split(b" ", 2)[1])] += 1
    writer.close()


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> None:
    _, said, rest = head.partition(b"content-length:")
    if said:
        await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
    else:
        # In chunks: the last one is empty.
        await reader.readuntil(b"0\r\n\r\n")
