"""`/campaigns/{campaign_id}/refunds` and `/events/{event_id}/refunds`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from participants.reversals import ReversalReport
from participants.selectors import events
from referral_rocket.accounts.models import Organization
from referral_rocket.api.answers import Answer
from referral_rocket.api.operations import operation
from referral_rocket.api.payloads import refunds as payloads
from referral_rocket.api.problems import impossible
from referral_rocket.api.resources.lookup import campaign_of, one
from referral_rocket.api.shapes.refunds import EventRefundNew, RefundNew, RefundShape
from referral_rocket.api.views import ApiView
from rewards.selectors import rewards
from rewards.services.reversing import transaction_reverse

_ABOUT = (
    "What isn't issued is lowered or canceled, what is gets a deduction. The same `refund_id` again answers 200; with a new "
    "status it is updated."
)


class CampaignRefundsView(ApiView):
    @operation(
        "refund_create",
        "Report a refund or dispute of a transaction",
        takes=RefundNew,
        answers={201: RefundShape, 200: RefundShape},
        about=f"Also before its payment: it is kept, and counts when the event comes. {_ABOUT}",
    )
    def post(self, request: Request, campaign_id: UUID) -> Answer:
        campaign = campaign_of(campaign_id)
        return _reverse(self.organization, self.actor, campaign.pk, self.given["transaction_id"], self.given)


class EventRefundsView(ApiView):
    @operation(
        "event_refund_create",
        "Report a refund or dispute of an event's payment",
        takes=EventRefundNew,
        answers={201: RefundShape, 200: RefundShape},
        refuses={422: ["not_refundable", "transaction_mismatch"]},
        about=_ABOUT,
    )
    def post(self, request: Request, event_id: UUID) -> Answer:
        event = one(events(), event_id, "event")
        told = event.transaction_id
        event = event.same_as or event
        if event.transaction_id is None or event.amount is None or event.undone_at is not None:
            raise impossible("not_refundable", "This event has no payment, or was undone.")
        if self.given.get("transaction_id", told) != told:
            raise impossible("transaction_mismatch", "The event is of another transaction.", "transaction_id")
        return _reverse(self.organization, self.actor, event.campaign_id, event.transaction_id, self.given)


def _reverse(
    organization: Organization, actor: str, campaign_id: UUID, transaction_id: str, given: Mapping[str, Any]
) -> Answer:
    report = ReversalReport(**{name: value for name, value in given.items() if name != "transaction_id"})
    result = transaction_reverse(
        organization=organization, campaign_id=campaign_id, transaction_id=transaction_id, report=report, actor=actor
    )
    changed = rewards().filter(pk__in=[reward.pk for reward in result.rewards]).order_by("pk")
    return Answer(201 if result.created else 200, payloads.refund(result, list(changed)))
