"""What the components need from Python: money, times, the query string, the panel's sections, safe attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, FileInput, RadioSelect, Select, Textarea
from django.forms.utils import flatatt
from django.http import QueryDict
from django.template import Context, Node
from django.template.base import Parser, Token
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeData, SafeString, mark_safe

from referral_rocket.dashboard.wording import Wording, wording
from referral_rocket.kit import money as money_kit

register = template.Library()

# A user's locale as long as they haven't chosen one.
BROWSERS_LOCALE = "en"
_THEMES = ("light", "dark")
_UNDO = "undo:"
NOTHING = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the left panel. `count` is None where nothing is counted."""

    key: str
    label: str
    icon: str
    url: str
    current: bool
    count: int | None


_SECTIONS = (
    ("overview", "Overview", "layout-dashboard"),
    ("campaigns", "Campaigns", "megaphone"),
    ("participants", "Participants", "users"),
    ("rewards", "Rewards", "gift"),
    ("integrations", "Integrations", "plug"),
    ("webhooks", "Webhooks", "webhook"),
    ("developers", "Developers", "code"),
    ("settings", "Settings", "settings"),
)


def _request(context: Context) -> Any:
    return context.get("request")


def locale_of(request: Any) -> str:
    """The reader's own choice, else the first language the browser asks for that Babel knows, as `en_US`, else `en`."""
    chosen = getattr(getattr(request, "user", None), "locale", BROWSERS_LOCALE)
    if chosen != BROWSERS_LOCALE:
        return str(chosen)
    header = request.headers.get("Accept-Language", "") if request is not None else ""
    for part in header.split(",")[:5]:
        name = part.split(";")[0].strip()
        if not name or name == "*":
            continue
        try:
            return str(Locale.parse(name, sep="-"))
        except (UnknownLocaleError, ValueError):
            continue
    return "en"


class _NoNewline(Node):
    def render(self, context: Context) -> SafeString:
        return SafeString("")


@register.filter
def less(amount: int, taken: int) -> int:
    """`amount - taken`, of amounts in minor units."""
    return amount - taken


@register.tag
def no_newline(parser: Parser, token: Token) -> Node:
    """Last in a component that stands inside a sentence: the file's final line break would show as a space."""
    parser.tokens = []
    return _NoNewline()


@register.simple_tag(takes_context=True)
def money(context: Context, amount: int | None, currency: str) -> str:
    """An amount in minor units as the reader's locale writes it; a dash for None."""
    if amount is None:
        return NOTHING
    return money_kit.format_money(int(amount), currency, locale_of(_request(context)))


@register.simple_tag
def currency_digits(currency: str) -> int:
    """Decimals of a currency, for scripts that add amounts up."""
    return money_kit.digits(currency)


def zone_of(context: Context) -> ZoneInfo:
    """The organization's time zone; UTC outside an organization."""
    organization = getattr(_request(context), "organization", None)
    return ZoneInfo(organization.time_zone if organization is not None else "UTC")


@register.filter
def zone_words(name: str) -> str:
    """A time zone as people read it: `America/New York`."""
    return name.replace("_", " ")


def _written(moment: datetime, style: str, today: date) -> str:
    day = f"{moment.day} {moment:%b}"
    if moment.year != today.year:
        day = f"{day} {moment.year}"
    if style == "date":
        return day
    if style == "exact":
        return f"{moment.day} {moment:%B %Y, %H:%M:%S} {moment.tzname()} ({zone_words(str(moment.tzinfo))})"
    return f"{day}, {moment:%H:%M}"


@register.simple_tag(takes_context=True)
def local_time(context: Context, value: datetime | date | None, style: str = "datetime") -> str:
    """A moment in the organization's zone. `style`: `datetime` (21 Nov, 14:05), `date` (21 Nov) or `exact`."""
    if value is None:
        return NOTHING
    zone = zone_of(context)
    today = datetime.now(zone).date()
    if not isinstance(value, datetime):
        return _written(datetime(value.year, value.month, value.day, tzinfo=zone), "date", today)
    return _written(value.astimezone(zone), style, today)


@register.filter
def iso(value: datetime | date) -> str:
    """For the `datetime` attribute of `<time>`: UTC for a moment, the day itself for a date."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat()


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The page's query string with some parameters replaced; None or "" leaves one out. Always begins with `?`."""
    request = _request(context)
    parameters = request.GET.copy() if request is not None else QueryDict(mutable=True)
    for name, value in changes.items():
        if value is None or value == "":
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    return "?" + parameters.urlencode()


@register.simple_tag(takes_context=True)
def pager_url(context: Context, name: str, cursor: str, opposite: str) -> str:
    """The present page with another cursor; the cursor of the opposite direction goes."""
    return query(context, **{name: cursor, opposite: None})


@register.simple_tag(takes_context=True)
def asked(context: Context, name: str) -> str:
    """A parameter of the page's query string, or "" without it."""
    request = _request(context)
    return request.GET.get(name, "") if request is not None else ""


@register.simple_tag(takes_context=True)
def is_filtered(context: Context, *names: str) -> bool:
    """Whether any parameter but the paging and sorting ones is set."""
    request = _request(context)
    if request is None:
        return False
    ignored = {"after", "before", "sort", "tab", *names}
    return any(value and name not in ignored for name, value in request.GET.items())


@register.simple_tag(takes_context=True)
def sorting(context: Context, name: str, default: str = "") -> dict[str, str]:
    """For a column's header: the link that sorts by it (a second press turns it round) and the present direction."""
    current = asked(context, "sort") or default
    directions = {name: "ascending", f"-{name}": "descending"}
    direction = directions.get(current, "")
    following = f"-{name}" if direction == "ascending" else name
    return {"url": query(context, sort=following, after=None, before=None), "direction": direction}


@register.simple_tag
def status_words(kind: str, value: Any) -> Wording:
    """Label, tone and icon of a state; `kind` is a key of `wording.WORDINGS`."""
    return wording(kind, str(getattr(value, "value", value)))


@register.simple_tag(takes_context=True)
def theme_attribute(context: Context) -> str:
    """`data-theme` for `<html>` when the reader has chosen one; without it the system decides."""
    request = _request(context)
    chosen = request.COOKIES.get("theme") if request is not None else None
    return format_html('data-theme="{}"', chosen) if chosen in _THEMES else ""


@register.simple_tag(takes_context=True)
def sections(context: Context, current: str = "") -> list[Section]:
    """The left panel. A section whose page this installation doesn't have is not offered."""
    organization = getattr(_request(context), "organization", None)
    if organization is None:
        return []
    frame = context.get("frame")
    due = frame.get("due_count") if isinstance(frame, Mapping) else getattr(frame, "due_count", None)
    found = []
    for key, label, icon in _SECTIONS:
        url = _url_or_none(f"dashboard:{key}", organization.slug)
        if url is not None:
            found.append(Section(key, label, icon, url, key == current, due if key == "rewards" else None))
    return found


def _url_or_none(name: str, slug: str) -> str | None:
    try:
        return reverse(name, kwargs={"slug": slug})
    except NoReverseMatch:
        return None


@register.simple_tag
def organization_url(slug: str) -> str:
    """Where choosing an organization in the switcher leads."""
    return _url_or_none("dashboard:overview", slug) or f"/o/{slug}/"


@register.filter
def monogram(name: str) -> str:
    """Up to two initials: `Acme Coffee` is AC."""
    words = [word for word in str(name).replace("@", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def unbroken(sentence: str) -> str:
    """The sentence, whose numbers stay on one line with their percent sign."""
    return str(sentence).replace(" %", "\N{NO-BREAK SPACE}%")


@register.simple_tag
def attributes(attrs: Any) -> SafeString:
    """What a component passes on to its element, every value escaped.

    Cotton's own `{{ attrs }}` writes values given as `:name="variable"` as they are, quotes and all.
    """
    given = attrs.attrs_dict() if hasattr(attrs, "attrs_dict") else dict(attrs)
    return flatatt({name: _quoted(value) for name, value in given.items()})


def _quoted(value: Any) -> Any:
    # A value rendered from `name='{"a": "{{ b }}"}'` counts as safe but was safe inside single quotes only.
    if isinstance(value, SafeData):
        return mark_safe(str(value).replace('"', "&quot;"))  # noqa: S308 - quotes are escaped just here
    return value


@register.filter
def chart_rows(data: Mapping[str, Any], request: Any = None) -> list[tuple[str, list[str]]]:
    """A chart's figures as a table for those who don't see it: a label and one written value per series."""
    series = data.get("series", [])
    currency = data.get("currency")
    locale = locale_of(request or None)

    def written(value: int) -> str:
        return money_kit.format_money(value, currency, locale) if currency else str(value)

    return [(label, [written(one["values"][at]) for one in series]) for at, label in enumerate(data.get("labels", []))]


@register.simple_tag
def undo_url(message: Any) -> str:
    """Where a message's undo goes: `messages.success(request, text, extra_tags="undo:/o/acme/…")`; "" without one."""
    tags = message.extra_tags or ""
    return tags.removeprefix(_UNDO) if tags.startswith(_UNDO) else ""


def _widget_class(field: BoundField) -> str:
    kind = field.field.widget
    if isinstance(kind, CheckboxInput | CheckboxSelectMultiple):
        return "checkbox checkbox-sm checkbox-primary"
    if isinstance(kind, RadioSelect):
        return "radio radio-sm radio-primary"
    if isinstance(kind, Select):
        return "select select-sm h-8"
    if isinstance(kind, Textarea):
        return "textarea textarea-sm"
    if isinstance(kind, FileInput):
        return "file-input file-input-sm"
    return "input input-sm h-8"


@register.simple_tag
def widget(field: BoundField) -> SafeString:
    """A form field's control with the theme's classes, tied to its help and error for screen readers."""
    attrs: dict[str, Any] = {}
    described = []
    if field.help_text:
        described.append(f"{field.auto_id}_help")
    if field.errors:
        described.append(f"{field.auto_id}_problem")
        attrs["aria-invalid"] = "true"
    if described:
        attrs["aria-describedby"] = " ".join(described)
    own = field.field.widget.attrs.get("class", "")
    attrs["class"] = f"{_widget_class(field)} {own}".strip()
    return _choices(field, attrs) if is_choice_group(field) else field.as_widget(attrs=attrs)


def _choices(field: BoundField, attrs: Mapping[str, Any]) -> SafeString:
    """Each choice with its label. Django's own rendering would give the classes to the box around them as well."""
    rows = []
    for choice in field:
        choice.data["attrs"].update(attrs)
        rows.append((choice.tag(), choice.choice_label))
    lines = format_html_join("", '<label class="choice">{}<span>{}</span></label>', rows)
    return format_html('<div class="choices" id="{}">{}</div>', field.auto_id, lines)


@register.filter
def is_check(field: BoundField) -> bool:
    """Whether the control is a single checkbox, whose label stands after it."""
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def is_choice_group(field: BoundField) -> bool:
    """Whether the control is a set of radio buttons or checkboxes, which need a group and a legend."""
    return isinstance(field.field.widget, RadioSelect | CheckboxSelectMultiple)
