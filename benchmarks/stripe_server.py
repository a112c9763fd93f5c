"""A Stripe that knows everybody and credits anybody: `python -m benchmarks.stripe_server MILLISECONDS`. Prints its port.

It answers just what STRIPE_CREDIT asks for, each time after so long, and knows just as much of HTTP: the product's own
stand-in would take more of the machine than the runner that is measured. `/told` answers, in JSON, what came in: how
many requests in all and in the busiest second, from the first to the last, and how many credits of how many rewards.
`/forget` begins anew.
"""

import asyncio
import json
import sys
import time
from itertools import count
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import uvloop

END_OF_HEADERS = b"\r\n\r\n"
LENGTH = b"content-length:"
BACKLOG = 1024


class Seen:
    """What came in since the beginning, in seconds of this process's clock."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.credits: dict[str, int] = {}

    def told(self) -> dict[str, Any]:
        busiest, first = 0, 0
        for last, moment in enumerate(self.at):
            while self.at[first] <= moment - 1:
                first += 1
            busiest = max(busiest, last - first + 1)
        return {
            "requests": len(self.at),
            "busiest": busiest,
            "seconds": self.at[-1] - self.at[0] if self.at else 0,
            "rewards": len(self.credits),
            "credits": sum(self.credits.values()),
        }


class Stripe(asyncio.Protocol):
    """One connection; requests come one after another on it."""

    seconds = 0.0
    seen = Seen()
    numbers = count(1)

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
        method, address, _ = headers.split(b"\r\n", 1)[0].decode().split(" ")
        if address == "/told":
            self.answer(Stripe.seen.told())
        elif address == "/forget":
            Stripe.seen = Seen()
            self.answer({})
        else:
            Stripe.seen.at.append(time.monotonic())
            asyncio.get_running_loop().call_later(self.seconds, self.answer, _answer(method, address, body.decode()))

    def answer(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)


def _answer(method: str, address: str, body: str) -> dict[str, Any]:
    parts = urlsplit(address)
    path = parts.path.strip("/").split("/")
    if method == "GET" and path == ["v1", "customers"]:
        (email,) = parse_qs(parts.query)["email"]
        return {"object": "list", "has_more": False, "url": "/v1/customers", "data": [_customer(f"cus_{email}")]}
    if method == "GET":
        return _customer(path[2])
    fields = parse_qs(body)
    (reward,) = fields["metadata[reward_id]"]
    Stripe.seen.credits[reward] = Stripe.seen.credits.get(reward, 0) + 1
    return {
        "id": f"cbtxn_{next(Stripe.numbers)}",
        "object": "customer_balance_transaction",
        "amount": int(fields["amount"][0]),
        "currency": fields["currency"][0],
        "customer": path[2],
        "ending_balance": int(fields["amount"][0]),
        "metadata": {"reward_id": reward},
        "type": "adjustment",
    }


def _customer(customer_id: str) -> dict[str, Any]:
    return {"id": customer_id, "object": "customer", "balance": 0, "currency": None, "livemode": True}


def _length(headers: bytes) -> int:
    _, found, rest = headers.lower().partition(LENGTH)
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def main(milliseconds: int) -> None:
    Stripe.seconds = milliseconds / 1000
    server = await asyncio.get_running_loop().create_server(Stripe, "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
