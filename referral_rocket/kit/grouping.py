"""What several threads ask for at the same time, done at once: a group commit.

A statement that commits costs the most for its commit. While one is under way, the threads that come meanwhile wait; then
one of them leads, and does what all of these have asked for in one statement. Nobody waits for others to come: alone, a
thread is served at once.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Place(Generic[Item, Result]):
    """Where a thread waits. Its `turn` is let go when it has its result, is to lead, or else to do its item alone."""

    __slots__ = ("item", "leads", "result", "served", "turn")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.leads = self.served = False
        self.result: Result
        self.turn = threading.Lock()
        self.turn.acquire()


class Grouped(Generic[Item, Result]):
    """`carry_out` does all items that it is given or none of them, and answers a result for each, in order.

    It is called in the thread of one of those that wait. Where it raises for a group, each thread does its own item alone,
    so that nobody is answered for another's: doing an item twice has to do no harm. While it hangs, so does everybody in
    this process who comes after.
    """

    def __init__(self, carry_out: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._carry_out = carry_out
        self._lock = threading.Lock()
        self._under_way = False
        self._waiting: list[_Place[Item, Result]] = []

    def __call__(self, item: Item) -> Result:
        """The item's result. Raises what `carry_out` raises for it alone."""
        own: _Place[Item, Result] = _Place(item)
        with self._lock:
            own.leads = not self._under_way
            self._under_way = True
            if not own.leads:
                self._waiting.append(own)
        if not own.leads:
            own.turn.acquire()
        if own.leads:
            return self._lead(own)
        return own.result if own.served else self._carry_out([item])[0]

    def _lead(self, own: _Place[Item, Result]) -> Result:
        with self._lock:
            others, self._waiting = self._waiting, []
        try:
            if others:
                self._serve([own, *others])
            return own.result if own.served else self._carry_out([own.item])[0]
        finally:
            self._hand_on()
            for place in others:
                place.turn.release()

    def _serve(self, places: Sequence[_Place[Item, Result]]) -> None:
        try:
            results = self._carry_out([place.item for place in places])
        except Exception as error:  # noqa: BLE001 - each thread meets it again alone, if it is about its own item
            log.warning("group_parted", items=len(places), error=type(error).__name__)
            return
        for place, result in zip(places, results, strict=True):
            place.result, place.served = result, True

    def _hand_on(self) -> None:
        """The first of those who came meanwhile leads the next group, of all who have come until it wakes."""
        with self._lock:
            following = self._waiting.pop(0) if self._waiting else None
            self._under_way = following is not None
        if following is not None:
            following.leads = True
            following.turn.release()
