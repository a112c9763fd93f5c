"""The sender: one event loop a process, which claims, signs, sends and hands results to be written, all at once.

It runs in a thread of its own for as long as the process lives and keeps its connections open. A task of the
`deliveries` queue only wakes it for some seconds (`Sender.work`); requests that are still out when the task ends come
to their end all the same. Database work is done in other threads, a set at a time.

Fairness: up to 500 requests at once, 50 to one endpoint. An endpoint begins with 10, gains one with each success and
falls to 2 when it keeps us waiting until the time-out: so those that hang don't take the places of the others.
"""

import asyncio
import ssl
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache, partial
from typing import TypeVar
from uuid import UUID

import aiohttp
import structlog
import uvloop
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections
from yarl import URL

from referral_rocket.kit.addresses import AddressRefused
from referral_rocket.kit.clock import wall
from referral_rocket.kit.signing import standard_signature
from webhooks.outbound import claiming, results
from webhooks.outbound.claiming import Shipment
from webhooks.outbound.connecting import Sessions
from webhooks.outbound.results import Result
from webhooks.outbound.schedule import retry_after_seconds

AT_ONCE = 500
PER_ENDPOINT = 50
FIRST_ROOM = 10
STRUGGLING_ROOM = 2
# Claimed beyond what is being sent, so that no place stays empty while the database answers.
AHEAD = 4
TIMEOUT_SECONDS = 15.0
EXCERPT_BYTES = 2048
POLL_SECONDS = 0.2
GATHER_SECONDS = 0.02
WRITTEN_AT_ONCE = 2000
# Answers that the database hasn't taken yet: with more than these nothing new is claimed.
UNWRITTEN = 5000
DATABASE_THREADS = 4

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Sender:
    """Sends what is due. Everything but `start`, `work` and `stop` runs in its own loop's thread."""

    def __init__(self, *, timeout: float = TIMEOUT_SECONDS, context: ssl.SSLContext | None = None) -> None:
        self._timeout = timeout
        self._context = context
        self._token = claiming.new_token()
        self._loop = uvloop.new_event_loop()
        self._database = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="deliveries")
        self._thread = threading.Thread(target=self._loop.run_forever, name="sender", daemon=True)
        self._held: dict[UUID, Shipment] = {}
        self._unsent: Counter[UUID] = Counter()
        self._queues: dict[UUID, deque[Shipment]] = defaultdict(deque)
        self._busy: dict[UUID, int] = defaultdict(int)
        self._rooms: dict[UUID, int] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._working = 0
        self._stopping = False
        self._out = 0
        self._results: list[Result] = []

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    def work(self, seconds: float) -> int:
        """Claim and send for at most about `seconds`, or until nothing is left; how many attempts were begun."""
        return asyncio.run_coroutine_threadsafe(self._work(seconds), self._loop).result()

    def stop(self) -> None:
        """Drop what is being sent, write what came back, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=self._timeout)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=self._timeout)
        everyone = threading.Barrier(DATABASE_THREADS)
        closing = [self._database.submit(_close_connection, everyone) for _ in range(DATABASE_THREADS)]
        for each in closing:
            each.result(timeout=self._timeout)
        self._database.shutdown(wait=True)

    # The loop --------------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._sessions = Sessions(at_once=AT_ONCE, timeout=self._timeout, context=self._context)
        self._hungry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._arrived = asyncio.Event()
        self._writer = asyncio.create_task(self._write_results())
        self._renewer = asyncio.create_task(self._renew_leases())

    async def _close(self) -> None:
        self._stopping = True
        self._hungry.set()
        # Whoever waits for `work` gets an answer: nothing would finish it after the loop.
        await self._idle.wait()
        self._renewer.cancel()
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._writer.cancel()
        await asyncio.gather(self._writer, self._renewer, return_exceptions=True)
        if self._results:
            await self._in_database(partial(results.results_write, self._results))
        await self._sessions.close()

    async def _work(self, seconds: float) -> int:
        self._working += 1
        self._idle.clear()
        try:
            return await self._work_until(time.monotonic() + seconds)
        finally:
            self._working -= 1
            if not self._working:
                self._idle.set()

    async def _work_until(self, deadline: float) -> int:
        begun = 0
        while time.monotonic() < deadline and not self._stopping:
            claimed = await self._claim()
            begun += claimed
            if not claimed and not self._held:
                break
            self._hungry.clear()
            await _wait(self._hungry, POLL_SECONDS)
            # Not for each request that ends: a claim of some is cheaper than some claims of one.
            await asyncio.sleep(GATHER_SECONDS)
        return begun

    async def _claim(self) -> int:
        room = AT_ONCE * AHEAD - self._unsent.total()
        if room <= 0 or len(self._results) > UNWRITTEN:
            return 0
        rooms = {endpoint: max(width * AHEAD - self._unsent[endpoint], 0) for endpoint, width in self._rooms.items()}
        try:
            shipments = await self._in_database(
                partial(claiming.claim, token=self._token, room=room, rooms=rooms, usual_room=FIRST_ROOM * AHEAD)
            )
        except DatabaseError as error:
            log.warning("deliveries_not_claimed", error=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)
            return 0
        for shipment in shipments:
            self._held[shipment.delivery_id] = shipment
            self._unsent[shipment.endpoint_id] += 1
            self._queues[shipment.endpoint_id].append(shipment)
            if shipment.endpoint_id not in self._rooms:
                self._rooms[shipment.endpoint_id] = STRUGGLING_ROOM if shipment.is_struggling else FIRST_ROOM
        self._fill()
        return len(shipments)

    def _fill(self) -> None:
        """Begin as many requests as there is room for, each endpoint in its turn."""
        for endpoint in list(self._queues):
            if self._out >= AT_ONCE:
                return
            self._fill_endpoint(endpoint)

    def _fill_endpoint(self, endpoint: UUID) -> None:
        queue = self._queues.get(endpoint)
        if queue is None:
            return
        while queue and self._busy[endpoint] < self._rooms[endpoint] and self._out < AT_ONCE:
            shipment = queue.popleft()
            self._busy[endpoint] += 1
            self._out += 1
            task = asyncio.create_task(self._deliver(shipment))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        if len(queue) < self._rooms[endpoint]:
            # Before it runs dry: a claim takes as long as some requests.
            self._hungry.set()
        if not queue:
            del self._queues[endpoint]

    async def _deliver(self, shipment: Shipment) -> None:
        result = await self._send(shipment)
        endpoint = shipment.endpoint_id
        self._note(result)
        self._unsent[endpoint] -= 1
        self._results.append(result)
        self._arrived.set()
        was_full = self._out >= AT_ONCE
        self._out -= 1
        self._busy[endpoint] -= 1
        if not self._busy[endpoint]:
            del self._busy[endpoint]
        if was_full:
            # The place goes to whoever waits, not only to its own endpoint.
            self._fill()
        else:
            self._fill_endpoint(endpoint)

    def _note(self, result: Result) -> None:
        """Give an endpoint more room or less."""
        endpoint = result.shipment.endpoint_id
        if result.succeeded:
            self._rooms[endpoint] = min(PER_ENDPOINT, self._rooms[endpoint] + 1)
        elif result.duration_ms >= self._timeout * 1000 * 0.9:
            self._rooms[endpoint] = STRUGGLING_ROOM

    # One request -----------------------------------------------------------------------------------------------------

    async def _send(self, shipment: Shipment) -> Result:
        at, started = wall(), time.perf_counter()

        def result(**fields: object) -> Result:
            milliseconds = int((time.perf_counter() - started) * 1000)
            return Result(shipment=shipment, at=at, duration_ms=milliseconds, **fields)  # type: ignore[arg-type]

        try:
            # The session's time-out covers everything: look-up, connection, request and reading the answer.
            async with self._sessions.for_url(shipment.url).post(
                _parsed(shipment.url),
                data=aiohttp.BytesPayload(shipment.body, content_type="application/json"),
                headers=headers_of(shipment, at),
                allow_redirects=False,
            ) as response:
                excerpt = await _excerpt(response)
                refusal = _refusal(response.status)
                return result(
                    status_code=response.status,
                    error=refusal,
                    response_excerpt=excerpt,
                    retry_after=retry_after_seconds(response.headers, at) if refusal else None,
                )
        except TimeoutError:
            return result(error=f"No complete answer within {self._timeout:g} seconds.")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return result(error=_words(error))
        except Exception:
            # Whatever it was, the others go on, and this one is tried again.
            log.exception("delivery_crashed", delivery=str(shipment.delivery_id))
            return result(error="The request failed unexpectedly.")

    # The database ----------------------------------------------------------------------------------------------------

    async def _write_results(self) -> None:
        """Write what came back, for as long as the process lives; while the database is away it is kept."""
        while True:
            await self._arrived.wait()
            if len(self._results) < WRITTEN_AT_ONCE:
                await asyncio.sleep(GATHER_SECONDS)
            some, self._results = self._results[:WRITTEN_AT_ONCE], self._results[WRITTEN_AT_ONCE:]
            try:
                await self._write(some)
            except (OperationalError, InterfaceError) as error:
                log.warning("delivery_results_kept", count=len(some), error=type(error).__name__)
                self._results = [*some, *self._results]
                await asyncio.sleep(POLL_SECONDS)
                continue
            for result in some:
                self._held.pop(result.shipment.delivery_id, None)
            if not self._results:
                self._arrived.clear()

    async def _write(self, some: list[Result]) -> None:
        """Raises OperationalError or InterfaceError where the database is away or wants the set again."""
        try:
            await self._in_database(partial(results.results_write, some))
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("delivery_results_refused", deliveries=[str(each.shipment.delivery_id) for each in some][:20])
            # A bad one stops only itself: its lease runs out, and it is sent again.
            if len(some) > 1:
                for each in some:
                    await self._write([each])

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(settings.LEASE_SECONDS / 3)
            if not self._held:
                continue
            try:
                await self._in_database(partial(claiming.renew, token=self._token, delivery_ids=list(self._held)))
            except DatabaseError as error:
                log.warning("delivery_leases_not_renewed", error=type(error).__name__)

    async def _in_database(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._database, _with_fresh_connection, call)


def _with_fresh_connection(call: Callable[[], T]) -> T:
    # What Django does around a request: a connection that was lost is made anew.
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


def _close_connection(everyone: threading.Barrier) -> None:
    # Each thread has one of its own, so each has to come here.
    everyone.wait()
    connections.close_all()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


@lru_cache(maxsize=1024)
def _parsed(url: str) -> URL:
    return URL(url, encoded=True)


def headers_of(shipment: Shipment, at: datetime) -> dict[str, str]:
    """The headers of one attempt, by Standard Webhooks."""
    timestamp = int(at.timestamp())
    signatures = [
        standard_signature(secret, shipment.webhook_id, timestamp, shipment.body) for secret in shipment.secrets
    ]
    return {
        "User-Agent": "ReferralRocket-Webhooks/1",
        "Accept-Encoding": "identity",
        "webhook-id": shipment.webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


async def _excerpt(response: aiohttp.ClientResponse) -> str:
    """The first 2 KB of the answer as text; a longer one is cut off with its connection."""
    parts: list[bytes] = []
    size = 0
    while size < EXCERPT_BYTES:
        part = await response.content.read(EXCERPT_BYTES - size)
        if not part:
            break
        parts.append(part)
        size += len(part)
    if size >= EXCERPT_BYTES and not response.content.at_eof():
        response.close()
    # PostgreSQL's text holds no NUL.
    return b"".join(parts).decode("utf-8", errors="replace").replace("\x00", "\ufffd")


def _refusal(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"It answered {status}: redirects aren't followed."
    return f"It answered {status}."


def _words(error: Exception) -> str:
    """What went wrong, without anything of ours that is secret."""
    causes = [error, getattr(error, "os_error", None), error.__cause__, error.__context__]
    refused = next((each for each in causes if isinstance(each, AddressRefused)), None)
    if refused is not None:
        return f"address_not_allowed: {refused}."[:200]
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "Its certificate can't be trusted."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "Its name can't be resolved."
    if isinstance(error, aiohttp.ClientConnectorError):
        return "No connection came about."
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return "The URL can't be used, or the answer isn't HTTP."
    return "The connection broke before the answer was complete."


_sender: Sender | None = None
_lock = threading.Lock()


def process_sender() -> Sender:
    """The one sender of this process, started when it is first asked for (after a worker's fork)."""
    global _sender
    with _lock:
        if _sender is None:
            sender = Sender()
            sender.start()
            _sender = sender
        return _sender
