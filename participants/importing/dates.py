"""Dates as other programs write them. Pure."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo

ISO, MONTH_FIRST, DAY_FIRST, WORDS, EPOCH = "ISO", "MDY", "DMY", "WORDS", "EPOCH"
FORMATS = {
    ISO: "Year first: 2024-01-31, with or without a time",
    MONTH_FIRST: "Month first: 01/31/2024",
    DAY_FIRST: "Day first: 31/01/2024 or 31.01.2024",
    WORDS: "Month in letters: Jan 31, 2024 or 31 January 2024",
    EPOCH: "Seconds or milliseconds since 1970",
}
_NUMBERS = re.compile(
    r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:,?[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)? ?([AaPp][Mm])?)?"
)
_SPACED_ZONE = re.compile(r"\s+([+-]\d{2}:?\d{2})$")
_WORD_DATES = ("%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y")
_WORD_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " at %I:%M %p")
_WEEKDAY = re.compile(r"^(mon|tue|wed|thu|fri|sat|sun)[a-z]*\s+", re.IGNORECASE)


class NoDate(ValueError):
    """This isn't a date in that format."""


def parse_date(text: str, date_format: str, zone: tzinfo) -> datetime:
    """The moment in UTC; `zone` is that of a date which names none, and midnight the time of one without. Raises NoDate."""
    try:
        moment = _PARSERS[date_format](text.strip())
    except (ValueError, OverflowError, OSError) as error:
        raise NoDate(f"“{text[:40]}” isn't a date in the chosen format.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def guessed_format(samples: Iterable[str]) -> str:
    """The format that all samples are in, ISO where none fits.

    Where day and month could be either, points say day first and strokes month first; the page asks.
    """
    texts = [text.strip() for text in samples if text.strip()]
    if not texts:
        return ISO
    for date_format in (ISO, EPOCH, WORDS):
        if all(_fits(text, date_format) for text in texts):
            return date_format
    order = (DAY_FIRST, MONTH_FIRST) if any("." in text.split(" ")[0] for text in texts) else (MONTH_FIRST, DAY_FIRST)
    return next((each for each in order if all(_fits(text, each) for text in texts)), ISO)


def _fits(text: str, date_format: str) -> bool:
    try:
        parse_date(text, date_format, UTC)
    except NoDate:
        return False
    return True


def _iso(text: str) -> datetime:
    if re.match(r"\d{4}/", text):
        text = text.replace("/", "-")
    text = re.sub(r"\s*(UTC|GMT)$", "+00:00", text)
    return datetime.fromisoformat(_SPACED_ZONE.sub(r"\1", text))


def _numbers(text: str, *, day_first: bool) -> datetime:
    found = _NUMBERS.fullmatch(text)
    if found is None:
        raise ValueError(text)
    one, two, year, hour, minute, second, half = found.groups()
    day, month = (one, two) if day_first else (two, one)
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(text)
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    return datetime(int(year), int(month), int(day), hours, int(minute or 0), int(second or 0))  # noqa: DTZ001 - the caller's zone


def _words(text: str) -> datetime:
    text = _WEEKDAY.sub("", " ".join(text.replace(",", " ").split()))
    for date in _WORD_DATES:
        for time in _WORD_TIMES:
            try:
                return datetime.strptime(text, date + time)  # noqa: DTZ007 - the caller's zone
            except ValueError:
                continue
    raise ValueError(text)


def _epoch(text: str) -> datetime:
    if not re.fullmatch(r"\d{9,10}|\d{12,13}", text):
        raise ValueError(text)
    return datetime.fromtimestamp(int(text) / (1 if len(text) <= 10 else 1000), UTC)


_PARSERS: dict[str, Callable[[str], datetime]] = {
    ISO: _iso,
    MONTH_FIRST: lambda text: _numbers(text, day_first=False),
    DAY_FIRST: lambda text: _numbers(text, day_first=True),
    WORDS: _words,
    EPOCH: _epoch,
}
