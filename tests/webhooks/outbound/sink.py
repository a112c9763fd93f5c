"""A tenant's server, as far as we see it: it takes webhooks, verifies them, and answers as it is told."""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

Behave = Callable[[web.Request, "Received"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    webhook_id: str
    path: str
    body: bytes
    headers: dict[str, str]

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


async def accept(request: web.Request, received: Received) -> web.StreamResponse:
    return web.Response(status=204)


@dataclass
class Sink:
    """`secrets` are by path; what can't be verified with them ends in `forged` and is answered 401."""

    url: str = ""
    behave: Behave = accept
    secrets: dict[str, list[str]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    forged: list[Received] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    def bodies(self) -> dict[str, set[bytes]]:
        found: dict[str, set[bytes]] = defaultdict(set)
        for each in self.received:
            found[each.webhook_id].add(each.body)
        return found

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        received = Received(request.headers.get("webhook-id", ""), request.path, body, dict(request.headers))
        secrets = self.secrets.get(request.path)
        if secrets is not None and not any(_verifies(secret, received) for secret in secrets):
            self.forged.append(received)
            return web.Response(status=401)
        self.received.append(received)
        return await self.behave(request, received)


def _verifies(secret: str, received: Received) -> bool:
    try:
        Webhook(secret).verify(received.body, received.headers)
    except WebhookVerificationError:
        return False
    return True


@contextmanager
def running(host: str = "127.0.0.1") -> Iterator[Sink]:
    sink = Sink()
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        application = web.Application(client_max_size=2**20)
        application.router.add_route("*", "/{tail:.*}", sink.take)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, host, 0)
        await site.start()
        sink.url = f"http://{host}:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
        return runner

    async def end(runner: web.AppRunner) -> None:
        await runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(end(runner), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
