"""Finding the object that an address or a body names. One that isn't there, or isn't this organization's, is a 404."""

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from campaigns.models import Campaign
from campaigns.selectors import campaigns
from participants.models import Customer, Participant
from participants.selectors import participants
from referral_rocket.api.problems import not_found
from rewards.models import Reward
from rewards.selectors import rewards

_Row = TypeVar("_Row", bound=Model)


def one(rows: QuerySet[_Row], pk: UUID, what: str) -> _Row:
    """Raises a 404 Problem."""
    found = rows.filter(pk=pk).first()
    if found is None:
        raise not_found(what)
    return found


def campaign_of(campaign_id: UUID) -> Campaign:
    return one(campaigns(), campaign_id, "campaign")


def participant_of(participant_id: UUID) -> Participant:
    return one(participants(), participant_id, "participant")


def customer_of(customer_id: UUID) -> Customer:
    return one(Customer.objects.all(), customer_id, "customer")


def reward_of(reward_id: UUID) -> Reward:
    return one(rewards(), reward_id, "reward")
