"""Where statement periods and calendar days end, in an organization's time zone. Pure.

A civil time that a clock change leaves out or repeats is read as Python's zoneinfo does: a midnight that doesn't exist
is the moment at which the clock skips it, and of one that comes twice the first counts.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def midnight_ending(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which `day` is over in the zone, in UTC."""
    following = day + timedelta(days=1)
    return datetime(following.year, following.month, following.day, tzinfo=zone).astimezone(UTC)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def first_close_after(moment: datetime, statement_day: int | None, zone: ZoneInfo) -> datetime:
    """The first end of a statement period later than `moment`.

    `statement_day` is 1 to 31, the last day in shorter months; None is the month's last.
    """
    today = day_of(moment, zone)
    year, month = today.year, today.month
    # The close of this month may be over, and at a clock change even that of the month before may be to come.
    year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    while True:
        last = monthrange(year, month)[1]
        close = midnight_ending(date(year, month, min(statement_day or last, last)), zone)
        if close > moment:
            return close
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
