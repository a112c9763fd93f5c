"""What a provider answered when we asked, of its past or of what a webhook left out, as a stored event: the facts themselves, since no message of the provider has them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from integrations.base import (
    CustomerSeen,
    Fact,
    Item,
    PastMessage,
    PaymentJoined,
    PaymentSeen,
    Reference,
    ReversalKind,
    ReversalSeen,
    ReversalStatus,
)
from integrations.errors import UnreadableEvent

# The type of such an event, in the list of what a connection told us.
LISTED = "asked by us"
_KINDS: Mapping[str, Callable[..., Fact]] = {
    each.__name__: each for each in (PaymentSeen, PaymentJoined, ReversalSeen, CustomerSeen)
}


def body_of(message: PastMessage) -> bytes:
    """The message's facts in JSON. Raises TypeError for a fact that no history has."""
    facts = []
    for fact in message.facts:
        fields = asdict(fact)
        if isinstance(fact, ReversalSeen):
            fields["reversal_kind"] = fields.pop("kind")
        name = type(fact).__name__
        if name not in _KINDS:
            raise TypeError(f"{name} is no fact of a payment's past")
        facts.append({"fact": name, **fields})
    return json.dumps({"facts": facts}, default=_plain, indent=2).encode()


def facts_of(body: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Raises UnreadableEvent where it isn't what `body_of` wrote."""
    try:
        return tuple(_fact(dict(each)) for each in body["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableEvent(f"the stored facts can't be read: {type(error).__name__} {error}") from error


def _fact(fields: dict[str, Any]) -> Fact:
    kind = _KINDS[fields.pop("fact")]
    if "occurred_at" in fields:
        fields["occurred_at"] = datetime.fromisoformat(fields["occurred_at"])
    if "references" in fields:
        fields["references"] = tuple(Reference(**each) for each in fields["references"])
    if "items" in fields:
        fields["items"] = tuple(Item(**each) for each in fields["items"])
    if kind is ReversalSeen:
        fields |= {"kind": ReversalKind(fields.pop("reversal_kind")), "status": ReversalStatus(fields["status"])}
    return kind(**fields)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON")
