"""The period that an overview is about: whole days in the organization's time zone, today included."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock

CHOICES = (7, 30, 90)
USUAL = 30
MOST_POINTS = 31


@dataclass(frozen=True)
class Period:
    """`start` is the first day's midnight, `before` the start of as many days before it."""

    days: int
    start: datetime
    before: datetime
    zone: ZoneInfo
    today: date

    @property
    def step(self) -> int:
        """Days that one point of a chart stands for: ninety points in a row are a comb."""
        return 1 if self.days <= MOST_POINTS else 7

    @property
    def step_name(self) -> str:
        return "day" if self.step == 1 else "week"

    @property
    def spans(self) -> Sequence[Sequence[date]]:
        """The days of each point, oldest first; the last span ends today, the first may be short."""
        days = [self.today - timedelta(days=back) for back in range(self.days)]
        spans = [days[at : at + self.step][::-1] for at in range(0, self.days, self.step)]
        return spans[::-1]


def period_of(organization: Organization, asked: str) -> Period:
    """The period of so many days that the address asks for; what isn't offered is the usual one."""
    days = int(asked) if asked.isdecimal() and int(asked) in CHOICES else USUAL
    zone = organization.zone
    today = clock.now(organization).astimezone(zone).date()
    return Period(
        days=days,
        start=_midnight(today - timedelta(days=days - 1), zone),
        before=_midnight(today - timedelta(days=2 * days - 1), zone),
        zone=zone,
        today=today,
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)
