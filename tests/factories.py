"""What tests begin with, made by the product's own services, so that a test never has data that the product can't have.

Everything but `user` and `organization` is made inside `tenant()` of the organization, whoever calls.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from campaigns.models import Beneficiary, Campaign, CampaignStatus, RuleType
from campaigns.services import campaign_create
from campaigns.terms import CampaignTerms, RuleTerms
from integrations.models import Connection
from integrations.services import connection_create
from participants.joining import Joined, Joining, participants_join
from participants.models import Participant, Source
from participants.services import participant_join
from referral_rocket.accounts.models import Organization, User
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import organization_create
from rewards.models import Reward, RewardBatch
from rewards.services.batches import batch_create
from rewards.services.earning import EventReport, EventResult, event_record, events_record
from rewards.services.selecting import Selection

ACTOR = "system:test"
WEBHOOK_SECRET = "whsec_factory0001"
_numbers = itertools.count(1)


def next_number() -> int:
    """A number that no other call of this process has got, for names that have to be unique."""
    return next(_numbers)


def user(email: str | None = None, password: str = "correct horse battery staple", **fields: Any) -> User:
    """A person who can log in with `password`."""
    return User.objects.create_user(email or f"user{next_number()}@example.com", password, **fields)


def organization(name: str | None = None, owner: User | None = None, time_zone: str = "UTC") -> Organization:
    """A live organization with its test twin (`test_organization`) and an owner."""
    return organization_create(name=name or f"Organization {next_number()}", owner=owner or user(), time_zone=time_zone)


def referral_rule(**fields: Any) -> RuleTerms:
    """A REFERRAL rule that gives the referrer $12.00 (1200) unless `amount`, `rate`, `tiers` or others say otherwise."""
    if not {"amount", "rate", "tiers"} & fields.keys():
        fields["amount"] = 1200
    if isinstance(fields.get("rate"), str):
        fields["rate"] = Decimal(fields["rate"])
    return RuleTerms(**{"type": RuleType.REFERRAL, "beneficiary": Beneficiary.REFERRER, **fields})


def campaign(
    organization: Organization,
    *,
    rules: Sequence[RuleTerms] | None = None,
    status: str = CampaignStatus.ACTIVE,
    created_at: datetime | None = None,
    **terms: Any,
) -> Campaign:
    """An active campaign in USD with one `referral_rule()`; `terms` are fields of CampaignTerms."""
    with tenant(organization):
        return campaign_create(
            organization=organization,
            terms=CampaignTerms(**{"name": f"Campaign {next_number()}", "currency": "USD", **terms}),
            rules=[referral_rule()] if rules is None else rules,
            actor=ACTOR,
            status=status,
            created_at=created_at,
        )


def participant(
    campaign: Campaign, email: str | None = None, *, referred_by: Participant | None = None, **fields: Any
) -> Participant:
    """A participant of the campaign, through `referred_by`'s code where that is given."""
    with tenant(campaign.organization):
        return participant_join(
            organization=campaign.organization,
            campaign=campaign,
            email=email or f"person{next_number()}@example.com",
            referral_code=referred_by.referral_code if referred_by else None,
            actor=ACTOR,
            **fields,
        ).participant


def report(participant: Participant, amount: int | None = 12000, **fields: Any) -> EventReport:
    """A purchase of $120.00 (12000) by the participant, with a transaction id of its own."""
    wanted: dict[str, Any] = {
        "campaign_id": participant.campaign_id,
        "participant_id": participant.pk,
        "source": Source.API,
        "type": "purchase",
        "amount": amount,
    }
    if amount is not None:
        wanted |= {"transaction_id": f"order_{next_number()}", "currency": participant.campaign.currency}
    return EventReport(**{**wanted, **fields})


def event(participant: Participant, amount: int | None = 12000, **fields: Any) -> EventResult:
    """The recorded purchase of `report`, with its decisions and rewards."""
    with tenant(participant.organization):
        return event_record(
            organization=participant.organization, report=report(participant, amount, **fields), actor=ACTOR
        )


def due_rewards(campaign: Campaign, count: int, *, amount: int = 12000) -> list[Reward]:
    """`count` rewards that are due, each earned by its own referrer through a person of its own.

    The campaign's rules decide what they are; with the default campaign each is $12.00.
    """
    sharers = [Joining(f"person{next_number()}@example.com") for _ in range(count)]
    friends = [Joining(f"person{next_number()}@example.com", referrer_id=sharer.id) for sharer in sharers]
    organization = campaign.organization
    with tenant(organization):
        joined = participants_join(
            organization=organization, campaign=campaign, joinings=[*sharers, *friends], actor=ACTOR
        )[count:]
        reports = [report(each.participant, amount) for each in joined if isinstance(each, Joined)]
        found = events_record(organization=organization, reports=reports, actor=ACTOR)
    results = [each for each in found if isinstance(each, EventResult)]
    assert len(results) == count
    return [reward for result in results for reward in result.rewards]


def connection(
    organization: Organization, *, provider: str = "stripe", webhook_secret: str | None = WEBHOOK_SECRET, **fields: Any
) -> Connection:
    """An active Stripe connection with keys of the organization's mode."""
    key = f"sk_{organization.mode.lower()}_factory{next_number()}"
    with tenant(organization):
        return connection_create(
            organization=organization,
            provider=provider,
            actor=ACTOR,
            webhook_secret=webhook_secret,
            **{"credentials": {"api_key": key}, **fields},
        )


def batch(organization: Organization, rewards: Sequence[Reward], method: str = "MANUAL", **fields: Any) -> RewardBatch:
    """A queued batch of the rewards; the runner hasn't seen it yet."""
    with tenant(organization):
        return batch_create(
            organization=organization,
            method=method,
            selection=Selection(reward_ids=[reward.pk for reward in rewards]),
            actor=ACTOR,
            **fields,
        )
