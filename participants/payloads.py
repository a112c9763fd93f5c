"""What the world outside is told of participants and events: the `data` of webhook bodies (docs/webhooks.md).

E-mail addresses and names stay out: a delivery log would keep them after a person was erased. The ids lead to them.
"""

from typing import Any

from participants.models import Customer, Participant, QualifyingEvent
from referral_rocket.kit.clock import to_milliseconds


def participant_data(participant: Participant, customer: Customer, change: str) -> dict[str, Any]:
    """A participant after `change`: JOINED, REFERRED, BANNED, UNBANNED or ERASED. `referred_by` is a participant's id."""
    return {
        "participant_id": str(participant.pk),
        "customer_id": str(customer.pk),
        "external_id": customer.external_id,
        "campaign_id": str(participant.campaign_id),
        "referral_code": participant.referral_code,
        "referred_by": None if participant.referred_by_id is None else str(participant.referred_by_id),
        "status": "ERASED" if customer.erased_at else "BANNED" if participant.banned_at else "ACTIVE",
        "change": change,
        "joined_at": to_milliseconds(participant.joined_at),
    }


def event_data(event: QualifyingEvent, customer: Customer, change: str) -> dict[str, Any]:
    """A qualifying event after `change`: RECORDED or UNDONE. Amounts in minor units of `currency`."""
    return {
        "event_id": str(event.pk),
        "participant_id": str(event.participant_id),
        "customer_id": str(customer.pk),
        "external_id": customer.external_id,
        "campaign_id": str(event.campaign_id),
        "type": event.type,
        "transaction_id": event.transaction_id,
        "amount": event.amount,
        "net_amount": event.net_amount,
        "currency": event.currency,
        "outcome": str(event.outcome),
        "change": change,
        "occurred_at": to_milliseconds(event.occurred_at),
    }
