"""What is going to happen, worked out before anything is written: who joins when, who shares, who buys. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from random import Random

from participants.attribution import CODE_ALPHABET, CODE_LENGTH
from referral_rocket.dashboard.sample.people import Person, people
from referral_rocket.dashboard.sample.recipes import Recipe

STRIPE, API, HAND = "STRIPE", "API", "HAND"
_SOURCES = (STRIPE,) * 5 + (API,) * 4 + (HAND,)
# Bursts of purchases: around noon and in the evening, in UTC, as a roaster on the American east coast sees them. Of
# the days that nobody looks at closely any more there is one burst each: every burst costs a second of loading in ten.
_NOON, _EVENING = timedelta(hours=16, minutes=40), timedelta(hours=22, minutes=15)
_RECENT_DAYS = 14
# A weekend sells better.
_WEIGHT_OF_DAY = (0.8, 0.8, 0.9, 1.0, 1.3, 1.5, 1.2)


@dataclass(eq=False)
class Joining:
    """A person's joining of a campaign, by a friend's link where `referrer` is set."""

    recipe: Recipe
    person: Person
    code: str
    at: datetime
    referrer: "Joining | None" = None
    clicked_at: datetime | None = None


@dataclass(frozen=True)
class Buying:
    joining: Joining
    at: datetime
    amount: int
    tax: int
    shipping: int
    source: str
    number: int


@dataclass(frozen=True)
class Clicking:
    sharer: Joining
    at: datetime
    host: str
    by_bot: bool


@dataclass
class Burst:
    """Half a day's happenings, in their order; all are before `at`."""

    at: datetime
    joinings: list[Joining] = field(default_factory=list)
    buyings: list[Buying] = field(default_factory=list)


@dataclass
class Plot:
    bursts: list[Burst]
    clickings: list[Clicking]
    everybody: list[Person]


def plot(recipes: Sequence[Recipe], *, seed: int, now: datetime) -> Plot:
    """Bursts from the first campaign's beginning until `now`, oldest first.

    Every person has a random generator of their own, which only the seed, the campaign and their number decide: so the
    same people do the same on every day that the sample data are loaded, and a day has no luck of its own.
    """
    first = max(recipe.started for recipe in recipes)
    bursts = [
        Burst(midnight + of_day)
        for days in range(first, -1, -1)
        for midnight in [(now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)]
        for of_day in ((_NOON, _EVENING) if days <= _RECENT_DAYS else ((_NOON, _EVENING)[days % 2],))
        if midnight + of_day < now - timedelta(minutes=5)
    ]
    made = Plot(bursts, [], [])
    crowds = {"USD": people(_random(seed), "US"), "EUR": people(_random(seed + 1), "DE")}
    for recipe in recipes:
        crowd = list(islice(crowds[recipe.currency], recipe.people))
        made.everybody += crowd
        _fill(made, recipe, crowd, seed, now)
    for burst in bursts:
        burst.joinings.sort(key=lambda joining: joining.at)
        burst.buyings.sort(key=lambda buying: buying.at)
    made.clickings.sort(key=lambda clicking: clicking.at)
    return made


def _random(seed: int | str) -> Random:
    return Random(seed)  # noqa: S311 - sample data, to be the same each time


def _fill(made: Plot, recipe: Recipe, crowd: Sequence[Person], seed: int, now: datetime) -> None:
    running = [
        burst
        for burst in made.bursts
        if now - timedelta(days=recipe.started) < burst.at - timedelta(hours=5)
        and burst.at < now - timedelta(days=recipe.stopped)
    ]
    if not running or not crowd:
        return
    weights = [_WEIGHT_OF_DAY[burst.at.weekday()] * (1 + 1.4 * at / len(running)) for at, burst in enumerate(running)]
    places = _random(f"{seed} {recipe.name}").choices(range(len(running)), weights=weights, k=len(crowd))
    joined: list[Joining] = []
    for person, place in zip(crowd, sorted(places), strict=True):
        burst, random = running[place], _random(f"{seed} {recipe.name} {person.number}")
        joining = Joining(recipe, person, _code(random), burst.at - timedelta(minutes=random.randint(95, 290)))
        _refer(made, joining, joined, random)
        joined.append(joining)
        burst.joinings.append(joining)
        _buy(joining, running, place, random)


def _code(random: Random) -> str:
    return "".join(random.choices(CODE_ALPHABET, k=CODE_LENGTH))


def _refer(made: Plot, joining: Joining, joined: Sequence[Joining], random: Random) -> None:
    """By someone who joined before, most likely by somebody who has brought others already; with clicks either way."""
    before = [other for other in joined if other.at < joining.at - timedelta(hours=2)]
    if not before:
        return
    if random.random() < joining.recipe.share_referred:
        eager = max(1, len(before) // 5)
        sharer = _one_of(before[:eager] if random.random() < 0.55 else before, random)
        joining.referrer = sharer
        joining.clicked_at = max(sharer.at, joining.at - timedelta(minutes=random.choice([4, 9, 25, 90, 700, 2900])))
        made.clickings.append(_click(sharer, joining.clicked_at, random))
    for _ in range(random.choice([0, 1, 2, 4, 6])):
        sharer = _one_of(before, random)
        at = sharer.at + (joining.at - sharer.at) * random.random()
        made.clickings.append(_click(sharer, at, random, by_bot=random.random() < 0.1))


def _one_of(people: Sequence[Joining], random: Random) -> Joining:
    """By one number from 0 to 1, so that one person more doesn't choose another."""
    return people[int(random.random() * len(people))]


def _click(sharer: Joining, at: datetime, random: Random, *, by_bot: bool = False) -> Clicking:
    hosts = ("", "", "www.instagram.com", "l.facebook.com", "t.co", "mail.google.com", "www.reddit.com")
    return Clicking(sharer, at, random.choice(hosts), by_bot)


def _buy(joining: Joining, running: Sequence[Burst], place: int, random: Random) -> None:
    recipe, number = joining.recipe, 0
    if random.random() > recipe.share_buying:
        return
    # Mostly on the day of joining; then every two to three weeks as long as the bag lasts.
    place += random.choice([0, 0, 1, 2, 5, 14])
    while place < len(running):
        burst, number = running[place], number + 1
        price = random.choice(recipe.prices) + random.choice([0, 0, 0, 50, 99])
        shipping = 0 if price >= 4000 else 495
        tax = price * 7 // 100
        at = burst.at - timedelta(minutes=random.randint(2, 85), seconds=random.randint(0, 59))
        source = random.choice(_SOURCES) if joining.person.known_to_stripe else random.choice((API, API, HAND))
        burst.buyings.append(Buying(joining, at, price + shipping + tax, tax, shipping, source, number))
        if random.random() > recipe.again:
            return
        place += random.randint(18, 46)
