"""The past of an account, as Stripe lists it: sessions, intents with their refunds, invoices, what joins them, disputes.

Each object is listed by when it was made, newest first. Something made before the time and paid, refunded or disputed
after it isn't found; what comes from now on is told by webhooks.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from integrations.base import Access, Fact, PastMessage
from integrations.providers.stripe.client import Conversation
from integrations.providers.stripe.inbound import READERS

PAGE = 100
Json = dict[str, Any]


def payments_since(access: Access, since: datetime) -> Iterator[PastMessage]:
    """See `integrations.description.Provider`. Each object is read as the webhook that tells of it would be."""
    talk = Conversation(access)
    window = {"created": {"gte": int(since.timestamp())}, "limit": PAGE}
    api = talk.api
    lists: tuple[tuple[Callable[[Any], Any], Json, Callable[[Json], Iterator[tuple[str, str, int, Json]]]], ...] = (
        (api.checkout.sessions.list, {"status": "complete", **window}, _session),
        (api.payment_intents.list, {"expand": ["data.latest_charge"], **window}, _intent),
        (api.invoices.list, {"status": "paid", **window}, _invoice),
        (api.invoice_payments.list, {"status": "paid", **window}, _joined),
        (api.disputes.list, window, _dispute),
    )
    for ask, params, told in lists:
        yield from _messages(talk, ask, params, told)


def _messages(
    talk: Conversation,
    ask: Callable[[Any], Any],
    params: Json,
    told: Callable[[Json], Iterator[tuple[str, str, int, Json]]],
) -> Iterator[PastMessage]:
    with talk.reading():
        page = ask(params)
    while True:
        with talk.reading():
            rows = [row.to_dict() for row in page.data]
            found = [message for row in rows for each in told(row) if (message := _message(*each)) is not None]
        # Outside: what the caller does between two pages is none of Stripe's failures.
        yield from found
        # Exchanges are for the record of a reward; a long list's would only fill memory.
        talk.exchanges.clear()
        if not page.has_more:
            return
        with talk.reading():
            page = page.next_page()


def _message(event_type: str, key: str, at: int, thing: Json) -> PastMessage | None:
    occurred_at = datetime.fromtimestamp(at, UTC)
    facts: tuple[Fact, ...] = READERS[event_type](thing, occurred_at)
    told = tuple(fact for fact in facts if hasattr(fact, "references"))
    return PastMessage(key, occurred_at, told) if told else None


def _session(session: Json) -> Iterator[tuple[str, str, int, Json]]:
    yield "checkout.session.completed", session["id"], session["created"], session


def _intent(intent: Json) -> Iterator[tuple[str, str, int, Json]]:
    if intent["status"] != "succeeded":
        return
    charge = intent.get("latest_charge")
    at = charge["created"] if isinstance(charge, dict) else intent["created"]
    yield "payment_intent.succeeded", intent["id"], at, intent
    if isinstance(charge, dict) and charge["amount_refunded"]:
        # The running total as it stands; a later refund makes it another message.
        yield "charge.refunded", f"{charge['id']}:refunded:{charge['amount_refunded']}", at, charge


def _invoice(invoice: Json) -> Iterator[tuple[str, str, int, Json]]:
    paid_at = (invoice.get("status_transitions") or {}).get("paid_at")
    yield "invoice.paid", invoice["id"], paid_at or invoice["created"], invoice


def _joined(paid: Json) -> Iterator[tuple[str, str, int, Json]]:
    yield "invoice_payment.paid", paid["id"], paid["created"], paid


def _dispute(dispute: Json) -> Iterator[tuple[str, str, int, Json]]:
    yield "charge.dispute.created", f"{dispute['id']}:{dispute['status']}", dispute["created"], dispute
