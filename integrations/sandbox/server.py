"""The one server of all stand-ins: `/<provider>/…` is the provider, `/_control/…` is for demos and tests.

Control, in JSON:
    POST /_control/faults {kind, provider, method, path, times, seconds, retry_after, acts, skip, body}; GET; DELETE
    GET /_control/requests: how often each path was asked, by status
    POST /_control/reset: forget everything
    … /_control/<provider>/…: see the provider's stand-in
It listens on the loopback address only and knows no secrets.
"""

import json
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from integrations.sandbox.faults import BadFault, Fault, FaultKind, Faults
from integrations.sandbox.store import Store

CONTROL = "_control"


@dataclass(frozen=True)
class Call:
    """One request to a stand-in. `path` begins with / and is without the provider's prefix."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    fault: Fault | None = None
    # Called where the provider would be at work, with the idempotency key taken.
    pause: Callable[[], None] = lambda: None

    def json(self) -> dict[str, Any]:
        value = json.loads(self.body or b"{}")
        if not isinstance(value, dict):
            raise ValueError("the body must be a JSON object")
        return value

    @property
    def arguments(self) -> dict[str, str]:
        return dict(parse_qsl(self.query))


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, indent=2).encode()


class StandIn(Protocol):
    """One provider. All three may be called from many threads at once."""

    def answer(self, call: Call) -> Reply:
        """What the provider would do and say. `call.fault` is set only for SERVER_ERROR."""

    def refusal(self, fault: Fault) -> Reply:
        """The provider's words for a refusal (429, 401, 503, 500)."""

    def control(self, call: Call) -> Reply:
        """What tests and the demo ask of this stand-in."""


class Sandbox(ThreadingHTTPServer):
    daemon_threads = True
    # Connections that wait to be accepted: a batch may open 50 at once.
    request_queue_size = 256

    def __init__(self, port: int, store: Store, stand_ins: Mapping[str, Callable[[Store], StandIn]]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = store
        self.faults = Faults()
        self.stand_ins = {name: make(store) for name, make in stand_ins.items()}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def control(self, call: Call) -> Reply:
        first, _, rest = call.path.lstrip("/").partition("/")
        if first in self.stand_ins:
            return self.stand_ins[first].control(Call(call.method, f"/{rest}", call.query, call.headers, call.body))
        if first == "faults":
            return self._control_faults(call)
        if (call.method, first) == ("GET", "requests"):
            return Reply(200, {"requests": self.store.counts()})
        if (call.method, first) == ("POST", "reset"):
            self.faults.clear()
            self.store.clear()
            return Reply(200, {})
        return Reply(404, {"error": f"nothing at /{CONTROL}{call.path}"})

    def _control_faults(self, call: Call) -> Reply:
        if call.method == "POST":
            self.faults.add(Fault.of(call.json()))
        if call.method == "DELETE":
            self.faults.clear()
        return Reply(200, {"faults": [asdict(fault) for fault in self.faults.waiting()]})


class _Handler(BaseHTTPRequestHandler):
    server: Sandbox
    protocol_version = "HTTP/1.1"
    server_version = "ReferralRocketSandbox"
    # Headers and body are two writes; Nagle would hold the second one back for 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: Any) -> None:
        """Silent: /_control/requests counts what was asked."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        provider, _, rest = parts.path.lstrip("/").partition("/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = Call(self.command, f"/{rest}", parts.query, self.headers, body)  # type: ignore[arg-type]
        if provider == CONTROL:
            self._give(self._controlled(call))
        elif provider in self.server.stand_ins:
            self._stand_in(provider, call)
        else:
            self._give(Reply(404, {"error": f"no stand-in for {provider!r}"}))

    def _controlled(self, call: Call) -> Reply:
        try:
            return self.server.control(call)
        except (BadFault, ValueError, KeyError, TypeError) as error:
            return Reply(400, {"error": f"{type(error).__name__}: {error}"})

    def _stand_in(self, provider: str, call: Call) -> None:
        stand_in = self.server.stand_ins[provider]
        fault = self.server.faults.take(provider, call.method, call.path, call.body)
        reply = self._faulty(stand_in, call, fault) if fault else stand_in.answer(call)
        self.server.store.count(provider, call.method, call.path, reply.status if reply else 0)
        if reply:
            self._give(reply)

    def _faulty(self, stand_in: StandIn, call: Call, fault: Fault) -> Reply | None:
        """The reply to give, or None where the connection is already broken."""
        match fault.kind:
            case FaultKind.RATE_LIMITED | FaultKind.REVOKED | FaultKind.UNAVAILABLE:
                return stand_in.refusal(fault)
            case FaultKind.TIMEOUT_BEFORE:
                self._hang(fault)
                return None
            case FaultKind.SERVER_ERROR:
                return stand_in.answer(replace(call, fault=fault))
            case FaultKind.SLOW_BEFORE:
                return stand_in.answer(replace(call, pause=lambda: self.server.faults.hold(fault.seconds)))
        return self._spoiled(stand_in.answer(call), fault)

    def _spoiled(self, reply: Reply, fault: Fault) -> Reply | None:
        """What becomes of the reply of a provider that has acted."""
        match fault.kind:
            case FaultKind.MALFORMED:
                encoded = reply.encoded()
                return Reply(reply.status, encoded[: len(encoded) // 2], reply.headers)
            case FaultKind.RESET:
                self._break(reply.encoded())
                return None
            case FaultKind.SLOW_AFTER:
                self.server.faults.hold(fault.seconds)
                return reply
        self._hang(fault)
        return None

    def _hang(self, fault: Fault) -> None:
        self.server.faults.hold(fault.seconds)
        self._break(b"")

    def _give(self, reply: Reply) -> None:
        body = reply.encoded()
        try:
            self._headers(reply, len(body))
            self.wfile.write(body)
        except ConnectionError:
            # The client hung up, as a test's killed worker does.
            self.close_connection = True

    def _headers(self, reply: Reply, length: int) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _break(self, body: bytes) -> None:
        """Give half of `body`, if any, and end the connection: with a reset in the middle of an answer."""
        self.close_connection = True
        try:
            if body:
                self._headers(Reply(200, body), len(body))
                self.wfile.write(body[: len(body) // 2])
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        except OSError:
            # The client was gone before; the connection is broken either way.
            return
