"""What the API's bodies and queries are made of. Nothing is converted by guessing: "12" is no number, 1 is no yes."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from campaigns import conditions
from referral_rocket.kit.money import MAXIMUM_AMOUNT, is_currency

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_RATE = re.compile(r"\d{1,2}(\.\d{1,8})?", re.ASCII)
# Times outside are mistakes (seconds taken for milliseconds, an empty date), and their sums leave what can be stored.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
LONGEST_URL = 2000


def uuid_of(text: Any) -> UUID | None:
    """None for anything but a UUID in its usual form."""
    return UUID(text) if isinstance(text, str) and _UUID.fullmatch(text) else None


class Strict(serializers.Serializer[Any]):
    """An object with these fields and no others."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError({"non_field_errors": [ErrorDetail("This has to be an object.", "invalid")]})
        unknown = {
            str(name): [ErrorDetail("There is no such field.", "unknown_field")]
            for name in data
            if name not in self.fields
        }
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            detail = error.detail if isinstance(error.detail, dict) else {}
            raise ValidationError({**detail, **unknown}) from error
        if unknown:
            raise ValidationError(unknown)
        return values


class Id(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> UUID:
        found = uuid_of(data)
        if found is None:
            self.fail("invalid", value=data)
        return found


class Text(serializers.CharField):
    """A text of at least one character, spaces around it cut off."""

    def __init__(self, *, max_length: int, min_length: int | None = 1, **options: Any) -> None:
        super().__init__(max_length=max_length, min_length=min_length, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Amount(Whole):
    """An amount in minor units, from `least` (1) to MAXIMUM_AMOUNT."""

    def __init__(self, *, least: int = 1, **options: Any) -> None:
        super().__init__(min_value=least, max_value=MAXIMUM_AMOUNT, **options)


@extend_schema_field({"type": "boolean"})
class Flag(serializers.Field[bool, Any, Any, Any]):
    default_error_messages = {"invalid": "Use true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class Moment(serializers.DateTimeField):
    """A time as RFC 3339 writes it, with its zone; answered in UTC. What is finer than a microsecond is cut off."""

    default_error_messages = {
        "invalid": "Use RFC 3339, such as 2026-11-21T09:00:00Z.",
        "out_of_range": "Use a time from 1970 to 2199.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(value.upper())
            # Compared before it is converted: the year 1 has no UTC time in the zones east of it.
            inside = EARLIEST <= moment < LATEST
        except (ValueError, OverflowError):
            self.fail("invalid")
        if not inside:
            self.fail("out_of_range")
        return moment.astimezone(UTC)


class Choice(serializers.ChoiceField):
    """One of the words that this version has. `later` are words of the API's document that it doesn't have yet."""

    default_error_messages = {
        "invalid_choice": "Use one of {choices}.",
        "not_available": "{input} isn't available in this version.",
    }

    def __init__(self, choices: Sequence[str], *, later: Sequence[str] = (), **options: Any) -> None:
        self.later = frozenset(later)
        super().__init__(choices=list(choices), **options)

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str) and data in self.later:
            self.fail("not_available", input=data)
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", choices=", ".join(self.choices))
        return data


@extend_schema_field({"enum": [None], "nullable": True})
class Nothing(serializers.Field[None, Any, Any, Any]):
    """A field of the API's document that takes only null in this version."""

    default_error_messages = {"not_available": "This isn't available in this version."}

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, **options)

    def to_internal_value(self, data: Any) -> None:
        self.fail("not_available")

    def to_representation(self, value: Any) -> None:
        return None


class Only(Whole):
    """A number of the API's document that takes only this value in this version."""

    default_error_messages = {"not_available": "Another value than {value} isn't available in this version."}

    def __init__(self, value: int, **options: Any) -> None:
        self.value = value
        super().__init__(required=False, min_value=value, max_value=value, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, int) and not isinstance(data, bool) and data != self.value:
            self.fail("not_available", value=self.value)
        return super().run_validation(data)


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217", "example": "USD"})
class Currency(Text):
    default_error_messages = {"unknown_currency": "Use an ISO 4217 code such as USD."}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=3, **options)

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if not is_currency(code):
            self.fail("unknown_currency")
        return code


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{2}$", "description": "ISO 3166-1 alpha-2", "example": "DE"})
class Country(Text):
    default_error_messages = {"unknown_country": "Use a country's two capital letters, such as DE."}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=2, **options)

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if not re.fullmatch("[A-Z]{2}", code):
            self.fail("unknown_country")
        return code


@extend_schema_field({"type": "string", "pattern": r"^\d{1,2}(\.\d{1,8})?$", "example": "0.05"})
class Rate(serializers.Field[Decimal, Any, Any, Any]):
    """A decimal as a text, since a JSON number may pass through a float on its way: "0.05" is 5 %."""

    default_error_messages = {"invalid": 'A rate is a decimal string such as "0.05", with at most 8 decimals.'}

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not _RATE.fullmatch(data):
            self.fail("invalid")
        return Decimal(data)

    def to_representation(self, value: Any) -> Any:
        return value


_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")


@extend_schema_field({"type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]{1,2})?$", "example": "12.5"})
class PercentOff(Rate):
    """A percentage as a text: "12.5" is 12.5 %."""

    default_error_messages = {"invalid": 'Use a decimal string such as "12.5", with at most 2 decimals.'}

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not _PERCENT.fullmatch(data):
            self.fail("invalid")
        return Decimal(data)


class RateText(Rate):
    """The same, kept as the text: tiers are stored as they were given."""

    def to_internal_value(self, data: Any) -> Any:
        super().to_internal_value(data)
        return data


@extend_schema_field({"type": "string", "format": "uri", "maxLength": LONGEST_URL})
class WebAddress(Text):
    default_error_messages = {"invalid_url": "Use a full address that begins with https:// or http://."}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_URL, **options)

    def to_internal_value(self, data: Any) -> str:
        address = super().to_internal_value(data)
        if not _is_web_address(address):
            self.fail("invalid_url")
        return address


def _is_web_address(address: str) -> bool:
    if any(letter.isspace() or not letter.isprintable() for letter in address):
        return False
    try:
        parts = urlsplit(address)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_fine


@extend_schema_field(
    {
        "type": "object",
        "description": 'A tree: `{"all": […]}` or `{"any": […]}` of `{field, op, value}` or further trees. Fields: `amount`, '
        "`currency`, `country`, `product`, `metadata.<key>`; ops: `eq`, `ne`, `in`, `gte`, `lte`.",
        "additionalProperties": True,
    }
)
class Conditions(serializers.Field[Any, Any, Any, Any]):
    def to_internal_value(self, data: Any) -> Any:
        try:
            conditions.check(data)
        except conditions.InvalidCondition as error:
            raise ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}.", code="invalid") from error
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class FreeObject(serializers.Field[Any, Any, Any, Any]):
    """An object whose names are the caller's. At most 100 of them, each of at most 100 characters."""

    default_error_messages = {"invalid": "Use an object with at most 100 names of at most 100 characters."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict) or len(data) > 100 or any(len(name) > 100 for name in data):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "object", "maxProperties": 100, "additionalProperties": True})
class Metadata(FreeObject):
    """What the caller wants to be kept with an event; conditions can look at it."""


@extend_schema_field({"type": "object", "maxProperties": 100, "additionalProperties": {"type": "string"}})
class Texts(FreeObject):
    """Texts by name, each of 1 to 2,000 characters."""

    default_error_messages = {"invalid": "Use an object of texts.", "not_text": "{name} has to be a text."}

    def __init__(self, *, names: Sequence[str] = (), **options: Any) -> None:
        self.names = tuple(names)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        found = super().to_internal_value(data)
        for name, value in found.items():
            if self.names and name not in self.names:
                raise ValidationError({name: [ErrorDetail("There is no such field.", "unknown_field")]})
            if not isinstance(value, str) or not 1 <= len(value.strip()) <= 2000:
                self.fail("not_text", name=name)
        return {name: value.strip() for name, value in found.items()}


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": 200, "default": 50})
class Limit(serializers.Field[int, Any, Any, Any]):
    default_error_messages = {"invalid": "Use a whole number from 1 to 200."}

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch("[0-9]{1,3}", str(data)) or not 1 <= int(data) <= 200:
            self.fail("invalid")
        return int(data)

    def to_representation(self, value: Any) -> Any:
        return value


class NoFilters(Strict):
    """The query of a call that takes none."""


class Paging(Strict):
    """The query of every list."""

    limit = Limit(required=False, help_text="How many to answer with, from 1 to 200; 50 where not given.")
    cursor = Text(required=False, max_length=40, help_text="The next_cursor of the page before.")
