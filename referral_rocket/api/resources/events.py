"""`/campaigns/{campaign_id}/events` and `/events`."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from campaigns.models import Campaign
from participants.attribution import InvalidEmail, email_key
from participants.models import Participant, QualifyingEvent, Source
from participants.selectors import events, participants
from referral_rocket.accounts.models import Scope
from referral_rocket.api.answers import Answer
from referral_rocket.api.operations import operation
from referral_rocket.api.pagination import page
from referral_rocket.api.payloads import events as payloads
from referral_rocket.api.problems import impossible, invalid
from referral_rocket.api.resources.lookup import campaign_of, one
from referral_rocket.api.shapes.events import EventFilters, EventNew, EventShape
from referral_rocket.api.views import ApiView
from rewards.services.earning import DUPLICATE, EventReport, decisions_and_rewards, event_record

# By what a participant may be named -> where that stands.
_NAMED_BY = {
    "participant_id": "pk",
    "customer_id": "customer",
    "external_id": "customer__external_id",
    "email": "customer__email_key",
}
_REPORTED = ("type", "occurred_at", "country", "tax", "shipping", "discount", "metadata", "items")
_FILTERS = {"campaign_id": "campaign", "participant_id": "participant", "transaction_id": "transaction_id"}


class CampaignEventsView(ApiView):
    @operation(
        "event_create",
        "Report what a participant did",
        takes=EventNew,
        answers={201: EventShape, 200: EventShape},
        refuses={409: ["transaction_conflict"], 422: ["unknown_participant", "campaign_not_active"]},
        about="One occurrence counts once: its repeat answers 200 with outcome DUPLICATE and the first answer's rewards.",
    )
    def post(self, request: Request, campaign_id: UUID) -> Answer:
        campaign = campaign_of(campaign_id)
        participant = _named(campaign, self.given["participant"])
        report = EventReport(
            campaign_id=campaign.pk,
            participant_id=participant.pk,
            source=Source.API,
            transaction_id=self.given.get("transaction_id"),
            amount=self.given.get("amount"),
            currency=self.given.get("currency"),
            **{name: self.given[name] for name in _REPORTED if self.given.get(name) is not None},
        )
        result = event_record(organization=self.organization, report=report, actor=self.actor)
        return Answer(200 if result.outcome == DUPLICATE else 201, payloads.result(result))


class EventsView(ApiView):
    @operation(
        "events_list",
        "Events, newest first",
        scope=Scope.READ,
        filters=EventFilters,
        answers={200: EventShape},
        listed=True,
    )
    def get(self, request: Request) -> Answer:
        found = events().filter(**{_FILTERS[name]: self.query[name] for name in _FILTERS if name in self.query})
        return page(found, self.query, _shown)


class EventView(ApiView):
    @operation("event_get", "One event", scope=Scope.READ, answers={200: EventShape})
    def get(self, request: Request, event_id: UUID) -> Answer:
        return Answer(200, _shown([one(events(), event_id, "event")])[0])


def _shown(found: Sequence[QualifyingEvent]) -> list[dict[str, Any]]:
    decisions, rewards = decisions_and_rewards([event.pk for event in found])
    return [payloads.event(event, decisions[event.pk], rewards[event.pk]) for event in found]


def _named(campaign: Campaign, who: Mapping[str, Any]) -> Participant:
    """Raises a 422 Problem for somebody who isn't in the campaign."""
    ((name, value),) = who.items()
    if name == "email":
        try:
            value = email_key(value)
        except InvalidEmail as error:
            raise invalid([("participant.email", "invalid", str(error))]) from error
    found = participants(campaign.pk).filter(**{_NAMED_BY[name]: value}).first()
    if found is None:
        raise impossible(
            "unknown_participant", "Nobody in this campaign is named so. Make them a participant first.", "participant"
        )
    return found
