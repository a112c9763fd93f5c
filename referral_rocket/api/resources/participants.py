"""`/campaigns/{campaign_id}/participants` and `/participants`."""

from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request

from campaigns.models import Campaign
from participants.attribution import InvalidEmail, email_key, normalised_code
from participants.errors import SelfReferral
from participants.models import Participant
from participants.selectors import participants
from participants.services import customer_change, participant_join, participant_refer, provider_customer_link
from referral_rocket.accounts.models import Scope
from referral_rocket.api.answers import Answer
from referral_rocket.api.operations import operation
from referral_rocket.api.pagination import page
from referral_rocket.api.payloads import people as payloads
from referral_rocket.api.problems import invalid
from referral_rocket.api.resources.lookup import campaign_of, participant_of
from referral_rocket.api.shapes.people import (
    ParticipantChange,
    ParticipantFilters,
    ParticipantNew,
    ParticipantShape,
)
from referral_rocket.api.views import ApiView
from referral_rocket.kit import clock
from rewards.services.erasing import person_erase


class CampaignParticipantsView(ApiView):
    @operation(
        "participants_list",
        "A campaign's participants, newest first",
        scope=Scope.READ,
        filters=ParticipantFilters,
        answers={200: ParticipantShape},
        listed=True,
    )
    def get(self, request: Request, campaign_id: UUID) -> Answer:
        campaign = campaign_of(campaign_id)
        found = participants(campaign.pk)
        if "email" in self.query:
            found = _with_email(found, self.query["email"])
        if "referral_code" in self.query:
            found = found.filter(referral_code=normalised_code(self.query["referral_code"]))
        if "external_id" in self.query:
            found = found.filter(customer__external_id=self.query["external_id"])
        if "customer_id" in self.query:
            found = found.filter(customer=self.query["customer_id"])
        return page(found, self.query, payloads.participants)

    @operation(
        "participant_create",
        "Make a person a participant",
        takes=ParticipantNew,
        answers={201: ParticipantShape, 200: ParticipantShape},
        refuses={409: ["id_taken", "participant_erased"], 422: ["unknown_referral_code", "self_referral"]},
        about="`referral_code` names the referrer; one's own is refused. A known e-mail answers 200 with that "
        "participant, unchanged. Somebody who was erased before joins without a referrer.",
    )
    def post(self, request: Request, campaign_id: UUID) -> Answer:
        campaign = campaign_of(campaign_id)
        known = _known(campaign, self.given["email"])
        if known is not None:
            _check_not_own(known, self.given.get("referral_code"))
            return Answer(200, payloads.participant(known))
        joined = participant_join(
            organization=self.organization,
            campaign=campaign,
            email=self.given["email"],
            name=self.given.get("name", ""),
            external_id=self.given.get("external_id"),
            referral_code=self.given.get("referral_code"),
            provider_ids=self.given.get("provider_ids"),
            actor=self.actor,
        )
        return Answer(201 if joined.created else 200, payloads.participant(joined.participant))


class ParticipantView(ApiView):
    @operation("participant_get", "One participant", scope=Scope.READ, answers={200: ParticipantShape})
    def get(self, request: Request, participant_id: UUID) -> Answer:
        return Answer(200, payloads.participant(participant_of(participant_id)))

    @operation(
        "participant_update",
        "Change a participant",
        takes=ParticipantChange,
        answers={200: ParticipantShape},
        refuses={
            409: ["id_taken", "referral_refused", "participant_erased"],
            422: ["unknown_referral_code", "self_referral"],
        },
        about="Name, external id and provider ids are the customer's, and so change in each of its campaigns.",
    )
    def patch(self, request: Request, participant_id: UUID) -> Answer:
        participant = participant_of(participant_id)
        if "name" in self.given or "external_id" in self.given:
            customer_change(
                customer=participant.customer,
                name=self.given.get("name"),
                external_id=self.given.get("external_id"),
            )
        for provider, provider_id in self.given.get("provider_ids", {}).items():
            provider_customer_link(
                organization=self.organization,
                customer=participant.customer,
                provider=provider,
                provider_id=provider_id,
            )
        if "referral_code" in self.given:
            participant_refer(
                organization=self.organization,
                participant=participant,
                referral_code=self.given["referral_code"],
                actor=self.actor,
                at=clock.now(self.organization),
            )
        return Answer(200, payloads.participant(participant_of(participant_id)))

    @operation(
        "participant_erase",
        "Erase a person",
        answers={204: None},
        about="Erases the customer in all campaigns: unissued rewards are CANCELED (`participant_erased`), one being issued "
        "ends first, issued rewards and deductions stay under a pseudonym, open deductions are written off. What others "
        "earned through this person stands. Erasing again changes nothing.",
    )
    def delete(self, request: Request, participant_id: UUID) -> Answer:
        participant = participant_of(participant_id)
        person_erase(organization=self.organization, customer_id=participant.customer_id, actor=self.actor)
        return Answer(204)


def _known(campaign: Campaign, email: str) -> Participant | None:
    return participants(campaign.pk).filter(customer__email_key=email_key(email)).first()


def _check_not_own(known: Participant, code: str | None) -> None:
    """Who is known is answered whatever else is sent, but for what can be meant by nobody. Raises SelfReferral."""
    if code is not None and normalised_code(code) == known.referral_code:
        raise SelfReferral()


def _with_email(found: QuerySet[Participant], email: str) -> QuerySet[Participant]:
    try:
        return found.filter(customer__email_key=email_key(email))
    except InvalidEmail as error:
        raise invalid([("email", "invalid", str(error))]) from error
