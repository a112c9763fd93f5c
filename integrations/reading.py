"""Reading what providers post: headers in any case, fields that may be absent, amounts in decimals, times as text.

A field that the meaning hangs on and that isn't there, or isn't what it should be, raises one of `MALFORMED`; adapters
turn that into UnreadableEvent by `readable`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypedDict

from integrations.base import TransactionRank
from integrations.errors import BadSignature, UnreadableEvent
from referral_rocket.kit.money import digits
from referral_rocket.kit.signing import same

Json = Mapping[str, Any]


class Named(TypedDict):
    """The fields of PaymentSeen that name its transaction."""

    transaction_id: str
    transaction_rank: int


MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, OSError, RecursionError)

# The keys under which a tenant puts a referral code, and its own transaction id, in whatever a provider keeps for it.
CODE_KEY = "referral_code"
TRANSACTION_KEY = "transaction_id"


# As long as a transaction's id may be (api.md, Event).
LONGEST_TRANSACTION = 200
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def said(body: bytes) -> Any:
    """What a stored message says, with U+FFFD for what no column keeps: NUL, and half of a surrogate pair.

    Visitors may write such into a cart or a form; what they paid counts all the same. Raises UnreadableEvent.
    """
    try:
        value = json.loads(body)
        # In JSON that is UTF-8 they stand escaped, but Python also reads a surrogate as it is: it begins with ED.
        return _storable(value) if b"\\u" in body or b"\xed" in body else value
    except (ValueError, RecursionError) as error:
        raise UnreadableEvent("the body isn't JSON") from error


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    return [_storable(inner) for inner in value] if isinstance(value, list) else value


@contextmanager
def readable(provider: str, what: str) -> Iterator[None]:
    """Raises UnreadableEvent where the block finds that something isn't as the provider documents it."""
    try:
        yield
    except MALFORMED as error:
        raise UnreadableEvent(f"{what} isn't as {provider} documents it: {type(error).__name__} {error}") from error


def header(headers: Mapping[str, str], name: str) -> str:
    """A header's value; empty where there is none."""
    return headers.get(name, "").strip()


def check_signature(header_name: str, given: str, expected: list[str], *, no_secret: str) -> None:
    """Compare a signature with those that the connection's secrets make, in constant time. Raises BadSignature."""
    if not given:
        raise BadSignature("missing", f"The {header_name} header is missing.")
    if not expected:
        raise BadSignature("no_secret", no_secret)
    # No early exit: which of the secrets fits is nobody's business.
    fits = [same(ours, given) for ours in expected]
    if not any(fits):
        raise BadSignature("wrong", f"The {header_name} header doesn't match this connection's secret.")


def parsed(body: bytes, provider: str) -> Json:
    """The body as a JSON object. Raises UnreadableEvent."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableEvent(f"the body isn't JSON from {provider}") from error
    if not isinstance(value, dict):
        raise UnreadableEvent("the body isn't a JSON object")
    return value


def opened(
    headers: Mapping[str, str], name: str, body: bytes, expected: list[str], *, provider: str, no_secret: str
) -> Json:
    """The body of an authentic webhook, whose header `name` has one of the expected signatures.

    Raises BadSignature, or UnreadableEvent where an authentic body isn't a JSON object.
    """
    check_signature(name, header(headers, name), expected, no_secret=no_secret)
    return parsed(body, provider)


def type_of(event: Json, field: str) -> str:
    """The event's type. Raises UnreadableEvent where it has none."""
    found = text(event.get(field))
    if found is None:
        raise UnreadableEvent("the event has no type")
    return found


def transaction(metadata: Mapping[str, str], known_as: str) -> Named:
    """What the payment's transaction is called: by the tenant in metadata, else by the provider."""
    own = own_transaction(metadata)
    if own:
        return {"transaction_id": own, "transaction_rank": TransactionRank.METADATA}
    return {"transaction_id": known_as, "transaction_rank": TransactionRank.PAYMENT}


def own_transaction(metadata: Mapping[str, Any]) -> str | None:
    """The tenant's own id of the transaction; a text that is longer than one may be is none."""
    own = text(metadata.get(TRANSACTION_KEY))
    return own if own and len(own) <= LONGEST_TRANSACTION else None


def digest(body: bytes) -> str:
    """Stands for an event's id where its sender gives none: the same body again is the same event."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def mapping(value: Any) -> Json:
    """The mapping, or an empty one for anything else (`notes` is an empty list where there are none)."""
    return value if isinstance(value, Mapping) else {}


def text(value: Any) -> str | None:
    """The trimmed text of a text or a number; None for what is empty or neither."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def texts(value: Any) -> dict[str, str]:
    """A mapping's entries as texts, without those that are none."""
    return {str(key): found for key, inner in mapping(value).items() if (found := text(inner)) is not None}


def whole(value: Any) -> int:
    """An amount that the provider gives in minor units, as a number or its text. Raises TypeError or ValueError."""
    if isinstance(value, str):
        value = int(value)
    if type(value) is not int:
        raise TypeError(f"an amount is an integer, not {value!r}")
    if value < 0:
        raise ValueError(f"an amount of {value}")
    return value


def from_decimal(value: Any, currency: str) -> int:
    """Minor units for an amount in major units: `"12.34"` or 12.34 in USD is 1234. None is 0.

    What is less than a minor unit is refused: no provider charges it. Raises TypeError or ValueError.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"an amount is a number, not {value!r}")
    try:
        # Through its text: a float's own digits are the shortest that name it, as the sender wrote them.
        amount = Decimal(str(value)).scaleb(digits(currency))
    except InvalidOperation as error:
        raise ValueError(f"an amount of {value!r}") from error
    if not amount.is_finite() or amount < 0 or amount != amount.to_integral_value():
        raise ValueError(f"an amount of {value} {currency}")
    return int(amount)


def moment(value: Any) -> datetime:
    """An aware time from RFC 3339 text or from seconds since 1970. Raises TypeError or ValueError."""
    if isinstance(value, str):
        found = datetime.fromisoformat(value)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    if type(value) is int:
        return datetime.fromtimestamp(value, UTC)
    raise TypeError(f"no time: {value!r}")
