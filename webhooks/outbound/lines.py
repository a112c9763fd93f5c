"""Whose turn it is to send: a line of deliveries for each endpoint, and places that its tenants share.

Pure: no loop, no clock, no database. An endpoint begins with 10 requests at once, gains one with each success up to 50,
and falls to 2 when it keeps us waiting until the time-out. A tenant takes a place only while it has fewer than nine
times as many as are free; so however many of a tenant's endpoints hang, some are left for everybody else, and the next
one that hangs gets less of them (a dynamic threshold, as switches share their buffers: Choudhury and Hahne, 1998).
"""

from collections import Counter, deque
from uuid import UUID

from webhooks.outbound.claiming import Shipment, Target

# One tenant alone gets nine tenths of them: 500.
PLACES = 555
SHARE = 9
PER_ENDPOINT = 50
FIRST_ROOM = 10
STRUGGLING_ROOM = 2
# Claimed beyond what is being sent, so that no place stays empty while the database answers.
AHEAD = 4


class Tenant:
    """An organization's requests that are out, and its lines that could send if there was a place."""

    __slots__ = ("out", "waiting")

    def __init__(self) -> None:
        self.out = 0
        self.waiting: deque[Line] = deque()


class Line:
    """What one endpoint is to be sent, how many requests to it are out, and how many may be."""

    __slots__ = ("out", "queue", "room", "target", "tenant", "waits")

    def __init__(self, target: Target, tenant: Tenant) -> None:
        self.target = target
        self.tenant = tenant
        self.room = STRUGGLING_ROOM if target.is_struggling else FIRST_ROOM
        self.queue: deque[Shipment] = deque()
        self.out = 0
        self.waits = False

    @property
    def unsent(self) -> int:
        return len(self.queue) + self.out

    @property
    def may_send(self) -> bool:
        return self.out < self.room and bool(self.queue)

    @property
    def runs_low(self) -> bool:
        """Before it runs dry: a claim takes as long as some requests."""
        return len(self.queue) < self.room

    def succeeded(self) -> None:
        if self.room < PER_ENDPOINT:
            self.room += 1

    def struggled(self) -> None:
        self.room = STRUGGLING_ROOM


class Lines:
    """All lines of a sender, and who has the places."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._out = 0
        self._lines: dict[UUID, Line] = {}
        self._tenants: dict[UUID, Tenant] = {}
        # Each of them once, in the order of their turns.
        self._waiting: deque[Tenant] = deque()

    def add(self, shipment: Shipment) -> Line:
        line = self._lines.get(shipment.target.endpoint_id)
        if line is None:
            tenant = self._tenants.setdefault(shipment.target.organization_id, Tenant())
            line = self._lines[shipment.target.endpoint_id] = Line(shipment.target, tenant)
        line.queue.append(shipment)
        return line

    def take(self, line: Line) -> Shipment | None:
        """The line's next, with a place to send it from. Where nothing but a place is missing, it waits for its turn."""
        if not line.may_send:
            return None
        tenant = line.tenant
        if tenant.out >= SHARE * (self._places - self._out):
            self._wait(line)
            return None
        line.out += 1
        tenant.out += 1
        self._out += 1
        return line.queue.popleft()

    def give(self, line: Line) -> None:
        """The place is free again. `take_next` has to follow: somebody may wait for it."""
        line.out -= 1
        line.tenant.out -= 1
        self._out -= 1

    def take_next(self, line: Line) -> tuple[Line, Shipment] | None:
        """Who has the place that `line` gave back: whoever waits for one, a tenant after the other; else itself."""
        if not self._waiting:
            shipment = self.take(line)
            return None if shipment is None else (line, shipment)
        if line.may_send:
            self._wait(line)
        for _ in range(len(self._waiting)):
            tenant = self._waiting.popleft()
            found = self._first_of(tenant)
            if tenant.waiting:
                self._waiting.append(tenant)
            if found is not None:
                return found
        return None

    def _first_of(self, tenant: Tenant) -> tuple[Line, Shipment] | None:
        while tenant.waiting and tenant.out < SHARE * (self._places - self._out):
            line = tenant.waiting.popleft()
            line.waits = False
            shipment = self.take(line)
            if shipment is not None:
                return line, shipment
        return None

    def _wait(self, line: Line) -> None:
        if line.waits:
            return
        line.waits = True
        if not line.tenant.waiting:
            self._waiting.append(line.tenant)
        line.tenant.waiting.append(line)

    # What to claim ---------------------------------------------------------------------------------------------------

    def unsent(self) -> Counter[UUID]:
        """How many claimed deliveries of each organization have no answer yet."""
        counted: Counter[UUID] = Counter()
        for line in self._lines.values():
            if line.unsent:
                counted[line.target.organization_id] += line.unsent
        return counted

    def rooms(self) -> dict[UUID, int]:
        """How many more each endpoint that is known may give."""
        return {endpoint: max(line.room * AHEAD - line.unsent, 0) for endpoint, line in self._lines.items()}

    def queued(self) -> list[Shipment]:
        """Empty all lines."""
        left = [shipment for line in self._lines.values() for shipment in line.queue]
        for line in self._lines.values():
            line.queue.clear()
        return left
