"""A server that takes posts and answers after a time: `python -m benchmarks.slow_server MILLISECONDS`. Prints its port.

Under `/hang` it never answers. It knows just as much of HTTP as our posts need: a whole server would take more of the
machine than the sender that is measured.
"""

import asyncio
import sys
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
END_OF_HEADERS = b"\r\n\r\n"
LENGTH = b"content-length:"
BACKLOG = 1024


class Post(asyncio.Protocol):
    """One connection; posts come one after another on it, each with its `Content-Length`."""

    seconds = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports aren't asyncio's by class.
        self.transport = cast(asyncio.Transport, transport)
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        headers, found, body = self.received.partition(END_OF_HEADERS)
        if not found or len(body) < _length(headers):
            return
        self.received = b""
        if headers.startswith(b"POST /hang"):
            return
        if self.seconds:
            asyncio.get_running_loop().call_later(self.seconds, self.answer)
        else:
            self.answer()

    def answer(self) -> None:
        self.transport.write(ANSWER)


def _length(headers: bytes) -> int:
    _, found, rest = headers.lower().partition(LENGTH)
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def main(milliseconds: int) -> None:
    Post.seconds = milliseconds / 1000
    server = await asyncio.get_running_loop().create_server(Post, "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
