"""Who may send next: no endpoint and no tenant takes what belongs to the others. Pure, without a database."""

from uuid import UUID, uuid4

from webhooks.outbound.claiming import Shipment, Target, _shares
from webhooks.outbound.lines import FIRST_ROOM, PER_ENDPOINT, PLACES, STRUGGLING_ROOM, Line, Lines


def target(tenant: UUID | None = None, is_struggling: bool = False) -> Target:
    return Target(uuid4(), tenant or uuid4(), "https://example.com/hook", (), is_struggling)


def fill(lines: Lines, where: Target, number: int) -> Line:
    for _ in range(number):
        line = lines.add(Shipment(uuid4(), where, b"", 0, None, False, uuid4(), 0.0))
    return line


def taken(lines: Lines, line: Line) -> int:
    count = 0
    while lines.take(line) is not None:
        count += 1
    return count


def test_it_works() -> None:
    lines = Lines()
    line = fill(lines, target(), 100)

    assert taken(lines, line) == FIRST_ROOM
    for _ in range(5):
        line.succeeded()
    assert taken(lines, line) == 5
    for _ in range(100):
        line.succeeded()
    assert taken(lines, line) == PER_ENDPOINT - FIRST_ROOM - 5
    line.struggled()
    for _ in range(PER_ENDPOINT - STRUGGLING_ROOM):
        lines.give(line)
        assert lines.take_next(line) is None
    lines.give(line)
    following = lines.take_next(line)
    assert following is not None
    assert following[0] is line


def test_one_that_failed_before_begins_small() -> None:
    lines = Lines()

    assert taken(lines, fill(lines, target(is_struggling=True), 10)) == STRUGGLING_ROOM


def crowd(lines: Lines, tenant: UUID) -> tuple[int, Line]:
    """A hundred endpoints of one tenant, each with more to send than there is room for: what they get."""
    filled = [fill(lines, target(tenant), 20) for _ in range(100)]
    return sum(taken(lines, line) for line in filled), filled[0]


def test_however_many_endpoints_hang_there_are_places_for_other_tenants() -> None:
    lines = Lines()

    assert [crowd(lines, uuid4())[0] for _ in range(4)] == [500, 50, 5, 0]
    assert PLACES == 555


def test_a_place_goes_to_whoever_waits_and_has_the_least() -> None:
    lines = Lines()
    (_, greedy), *_ = (crowd(lines, uuid4()) for _ in range(3))
    late, later = fill(lines, target(), 2), fill(lines, target(), 2)
    assert (taken(lines, late), taken(lines, later)) == (0, 0)

    served = []
    for _ in range(5):
        lines.give(greedy)
        following = lines.take_next(greedy)
        assert following is not None
        served.append(following[0])

    # The one with most has waited first, and gets none.
    assert {late, later} <= set(served)
    assert greedy.tenant not in [line.tenant for line in served]


def test_what_is_claimed_is_shared_as_the_places_are() -> None:
    greedy, other = uuid4(), target()
    many = [target(greedy) for _ in range(100)]

    shares = dict(_shares([*many, other], 1000, {}, 40, {}, 9))
    assert shares[other.endpoint_id] == 40 or shares[other.endpoint_id] >= 9
    assert sum(shares.values()) <= 1000
    # What it holds already counts.
    later = dict(_shares([*many, other], 100, {}, 40, {greedy: 900}, 9))
    assert set(later) == {other.endpoint_id}
    assert later[other.endpoint_id] == 40 or later[other.endpoint_id] > 0


def test_an_endpoint_gives_what_its_line_has_room_for() -> None:
    one, two = target(), target()

    assert dict(_shares([one, two], 100, {one.endpoint_id: 0}, 40, {}, 9)) == {two.endpoint_id: 40}
    assert dict(_shares([one, two], 10, {one.endpoint_id: 2}, 40, {}, 9)) == {one.endpoint_id: 2, two.endpoint_id: 8}
