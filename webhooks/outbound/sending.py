"""The sender: one event loop a process, which claims, sends and hands results to be written, all at once.

It runs in a thread of its own for as long as the process lives and keeps its connections open. A task of the
`deliveries` queue only wakes it for some seconds (`Sender.work`); requests that are still out when the task ends come
to their end all the same. Database work is done in other threads, a set at a time. Who may send when: `lines`.
"""

import asyncio
import gc
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import structlog
import uvloop
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections

from webhooks.outbound import claiming, results
from webhooks.outbound.claiming import Shipment
from webhooks.outbound.connecting import Sessions
from webhooks.outbound.lines import AHEAD, FIRST_ROOM, PLACES, SHARE, Line, Lines
from webhooks.outbound.posting import post
from webhooks.outbound.results import GONE, Result

TIMEOUT_SECONDS = 15.0
# A failure that took this part of the time-out makes an endpoint one that struggles.
STRUGGLING_PART = 1 / 3
# What was claimed longer ago is claimed again instead of being sent: the endpoint may have been disabled or changed, and
# together with the time-out this has to be well below a lease (60 s), so that nothing is out without one.
QUEUED_SECONDS = 10.0
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
        self._lines = Lines()
        # Whose leases are renewed: what waits, is out, or has an answer that isn't written yet.
        self._held: set[Shipment] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._results: list[Result] = []
        self._returned: list[Shipment] = []
        self._working = 0
        self._stopping = False

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    def work(self, seconds: float) -> int:
        """Claim and send for at most about `seconds`, or until nothing is left; how many deliveries were claimed."""
        return asyncio.run_coroutine_threadsafe(self._work(seconds), self._loop).result()

    def stop(self) -> None:
        """Drop what is being sent, give back what isn't yet, write what came back, and end the thread."""
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
        self._sessions = Sessions(at_once=PLACES, timeout=self._timeout, context=self._context)
        self._hungry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._arrived = asyncio.Event()
        self._writer = asyncio.create_task(self._write_what_arrives())
        self._renewer = asyncio.create_task(self._renew_leases())

    async def _close(self) -> None:
        self._stopping = True
        self._hungry.set()
        # Whoever waits for `work` gets an answer: nothing would finish it after the loop.
        await self._idle.wait()
        self._renewer.cancel()
        self._returned += self._lines.queued()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._writer.cancel()
        await asyncio.gather(self._writer, self._renewer, return_exceptions=True)
        while self._results or self._returned:
            await self._write_some()
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
        unsent = self._lines.unsent()
        room = PLACES * AHEAD - unsent.total()
        if room <= 0 or len(self._results) > UNWRITTEN:
            return 0
        some = partial(
            claiming.claim,
            token=self._token,
            room=room,
            rooms=self._lines.rooms(),
            usual_room=FIRST_ROOM * AHEAD,
            unsent=unsent,
            share=SHARE,
        )
        try:
            shipments = await self._in_database(some)
        except DatabaseError as error:
            log.warning("deliveries_not_claimed", error=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)
            return 0
        self._held.update(shipments)
        for line in {self._lines.add(shipment) for shipment in shipments}:
            self._fill(line)
        return len(shipments)

    def _fill(self, line: Line) -> None:
        """Begin as many requests as the line has room and places for."""
        while (shipment := self._lines.take(line)) is not None:
            task = asyncio.create_task(self._serve(line, shipment))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, line: Line, shipment: Shipment) -> None:
        """What one place does: one request after another, for its own line or for whoever waits for a place."""
        while True:
            try:
                await self._send(line, shipment)
            finally:
                self._lines.give(line)
            if line.runs_low:
                self._hungry.set()
            following = self._lines.take_next(line)
            # With each answer it may have got room for one more.
            self._fill(line)
            if following is None:
                return
            line, shipment = following

    async def _send(self, line: Line, shipment: Shipment) -> None:
        if time.monotonic() - shipment.claimed_at > QUEUED_SECONDS:
            self._return([shipment])
            return
        result = await post(self._sessions, shipment)
        if result.succeeded:
            line.succeeded()
        elif result.status_code == GONE:
            self._return(line.queue)
            line.queue.clear()
        elif result.duration_ms > self._timeout * 1000 * STRUGGLING_PART:
            line.struggled()
        self._results.append(result)
        self._arrived.set()

    def _return(self, shipments: Iterable[Shipment]) -> None:
        self._returned += shipments
        self._arrived.set()

    # The database ----------------------------------------------------------------------------------------------------

    async def _write_what_arrives(self) -> None:
        """Write what came back, for as long as the process lives; while the database is away it is kept."""
        while True:
            await self._arrived.wait()
            if len(self._results) < WRITTEN_AT_ONCE:
                await asyncio.sleep(GATHER_SECONDS)
            try:
                await self._write_some()
            except (OperationalError, InterfaceError) as error:
                log.warning("delivery_results_kept", count=len(self._results), error=type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)
                continue
            if not self._results and not self._returned:
                self._arrived.clear()

    async def _write_some(self) -> None:
        """Raises OperationalError or InterfaceError where the database is away or wants the set again."""
        if some := self._results[:WRITTEN_AT_ONCE]:
            await self._write(some)
            del self._results[: len(some)]
            self._held.difference_update([result.shipment for result in some])
        if returned := self._returned[:]:
            ids = [shipment.delivery_id for shipment in returned]
            await self._in_database(partial(claiming.give_back, token=self._token, delivery_ids=ids))
            del self._returned[: len(returned)]
            self._held.difference_update(returned)
            self._hungry.set()

    async def _write(self, some: list[Result]) -> None:
        """Raises OperationalError or InterfaceError as `_write_some`."""
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
            ids = [shipment.delivery_id for shipment in self._held]
            try:
                await self._in_database(partial(claiming.renew, token=self._token, delivery_ids=ids))
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


_sender: Sender | None = None
_lock = threading.Lock()


def process_sender() -> Sender:
    """The one sender of this process, started when it is first asked for (after a worker's fork)."""
    global _sender
    with _lock:
        if _sender is None:
            # What the process has loaded stays: looking through it for garbage again and again costs a tenth.
            gc.freeze()
            sender = Sender()
            sender.start()
            _sender = sender
        return _sender
