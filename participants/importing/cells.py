"""What a row's cells say: values of ours, or why they are none. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from participants.attribution import InvalidEmail, email_key, normalised_code
from participants.importing import fields
from participants.importing.dates import NoDate, parse_date

# How a file names referrers.
AUTO, BY_EMAIL, BY_CODE, BY_KEY = "AUTO", "EMAIL", "CODE", "KEY"
REFERRER_BY = {
    AUTO: "Work it out for each row",
    BY_EMAIL: "By e-mail address",
    BY_CODE: "By referral code or link",
    BY_KEY: "By the id in the old program",
}
# Our own exports put ' before what a spreadsheet would run as a formula.
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
# What goes into an address as it is; shorter ones would be mistaken for words of it.
_CODE = re.compile(r"[A-Z0-9][A-Z0-9._~-]{1,31}")
# The parameter under which a link carries its code: Rewardful and Tolt, FirstPromoter, GrowSurf, ours, and usual ones.
_PARAMETERS = ("via", "fpr", "grsf", "referral_code", "ref", "aff", "fp_ref", "referral", "code", "r", "a")
_BANNED = frozenset(
    {"banned", "blocked", "declined", "deactivated", "disabled", "fraud", "fraudulent", "rejected", "suspended"}
)
_LONGEST = {"name": 200, "external_id": 200, "key": 200, "referrer": 500, "stripe": 200, "paypal": 200}
# As for events: a clock may be a little ahead.
_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Settings:
    """How the cells of an import are to be read. `now` bounds dates; `zone` is that of dates without one."""

    mapping: Mapping[str, int]
    width: int
    date_format: str
    referrer_by: str
    zone: tzinfo
    now: datetime


@dataclass
class Reading:
    """What was made of a row. `values` is what will be written, the rest is what it is matched by."""

    values: dict[str, Any] = field(default_factory=dict)
    email_key: str = ""
    external_id: str = ""
    code: str = ""
    key: str = ""
    referrer_email: str = ""
    referrer_code: str = ""
    referrer_key: str = ""
    problem: str = ""
    reason: str = ""

    def wrong(self, problem: str, reason: str) -> None:
        """Only the first thing that is wrong is told."""
        if not self.problem:
            self.problem, self.reason = problem, reason[:500]


def plain(cell: str) -> str:
    """A cell as it is meant: without spaces around it, and without the mark that makes a formula a text."""
    text = cell.strip()
    return text[1:] if _GUARDED.match(text) else text


def read_cells(cells: Sequence[str], settings: Settings) -> Reading:
    reading = Reading()
    if len(cells) > settings.width:
        reading.wrong("too_many_cells", f"The row has {len(cells)} values, and the header names {settings.width}.")
        return reading
    given = {name: plain(cells[place]) for name, place in settings.mapping.items() if place < len(cells)}
    _person(given, reading)
    _code(given, reading)
    _referrer(given, settings, reading)
    _joined(given, settings, reading)
    status = given.get("status", "")
    if status.lower() in _BANNED or _is_moment(status):
        # A moment is when somebody was banned, as our own export has it.
        reading.values["ban_reason"] = f"“{status[:100]}” in the file that was imported"
    return reading


def code_in(text: str) -> str:
    """The code that a cell names: itself, or what stands in the link that it is. "" where it can't be one of ours."""
    text = text.strip()
    if "://" in text or "/" in text or "?" in text:
        text = _code_of_link(text)
    code = normalised_code(text)
    return code if _CODE.fullmatch(code) else ""


def _code_of_link(link: str) -> str:
    try:
        parts = urlsplit(link if "://" in link else f"https://{link}")
    except ValueError:
        return ""
    asked = {name.lower(): value for name, value in parse_qsl(parts.query)}
    for parameter in _PARAMETERS:
        if parameter in asked:
            return asked[parameter]
    if len(asked) == 1:
        return next(iter(asked.values()))
    return unquote(parts.path.rstrip("/").rpartition("/")[2])


def _person(given: Mapping[str, str], reading: Reading) -> None:
    email = given.get("email", "")
    if not email:
        reading.wrong("no_email", "There is no e-mail address.")
    else:
        try:
            reading.email_key = email_key(email)
            reading.values["email"] = email
        except InvalidEmail as error:
            reading.wrong("invalid_email", f"“{email[:80]}” is no e-mail address: {error}")
    name = " ".join(filter(None, (given.get("name", ""), given.get("last_name", ""))))
    reading.values |= {"name": name, "external_id": given.get("external_id", "")}
    providers = {each.provider: given[each.name] for each in fields.FIELDS if each.provider and given.get(each.name)}
    reading.values["provider_ids"] = providers
    reading.external_id, reading.key = given.get("external_id", "")[:200], given.get("key", "")[:200]
    for what, text in {**given, "name": name}.items():
        if len(text) > _LONGEST.get(what, 1000):
            label = next(each.label for each in fields.FIELDS if each.name == what)
            reading.wrong("too_long", f"{label} has {len(text)} characters; {_LONGEST.get(what, 1000)} are the most.")


def _code(given: Mapping[str, str], reading: Reading) -> None:
    text = given.get("code", "")
    if not text:
        return
    reading.code = code_in(text)
    reading.values["code"] = reading.code
    if not reading.code:
        reading.wrong(
            "invalid_code",
            f"“{text[:80]}” can't be kept as a code: a code has 2 to 32 letters without accents, digits, and . _ ~ -",
        )


def _referrer(given: Mapping[str, str], settings: Settings, reading: Reading) -> None:
    text = given.get("referrer", "")
    if not text:
        return
    reading.values["referrer"] = text[:500]
    by = settings.referrer_by
    if by == BY_EMAIL or (by == AUTO and "@" in text):
        try:
            reading.referrer_email = email_key(text)
        except InvalidEmail:
            reading.wrong("unknown_referrer", f"“{text[:80]}” is no e-mail address, so nobody is found by it.")
        return
    if by in (AUTO, BY_KEY):
        reading.referrer_key = text[:200]
    if by in (AUTO, BY_CODE):
        reading.referrer_code = code_in(text)
    if not reading.referrer_key and not reading.referrer_code:
        reading.wrong("unknown_referrer", f"“{text[:80]}” is no referral code, so nobody is found by it.")


def _joined(given: Mapping[str, str], settings: Settings, reading: Reading) -> None:
    text = given.get("joined_at", "")
    if not text:
        return
    try:
        moment = parse_date(text, settings.date_format, settings.zone)
    except NoDate as error:
        reading.wrong("invalid_date", str(error))
        return
    if moment > settings.now + _AHEAD:
        reading.wrong("invalid_date", f"“{text[:40]}” is in the future.")
        return
    reading.values["joined_at"] = moment.isoformat()


def _is_moment(text: str) -> bool:
    try:
        return len(text) >= 10 and datetime.fromisoformat(text) is not None
    except ValueError:
        return False
