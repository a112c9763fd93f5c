"""Filling in what is missing of people who are in the campaign already, and emptying it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from participants.customers import customer_change, provider_customer_link
from participants.errors import ReferralRefused
from participants.models import Participant, ProviderCustomer
from participants.selectors import has_counted_event
from participants.services import participant_refer
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record


@dataclass(frozen=True)
class Filling:
    name: str = ""
    external_id: str = ""
    provider_ids: Mapping[str, str] | None = None
    referrer_id: UUID | None = None
    attributed_at: datetime | None = None


@transaction.atomic
def participant_fill(
    *, organization: Organization, participant: Participant, filling: Filling, actor: str
) -> dict[str, Any]:
    """Write what the participant has not; what is there stays. Answers what was written, by field.

    A referrer is set by the rules of `participant_refer`. Raises what that raises, and IdTaken.
    """
    filled: dict[str, Any] = {}
    customer = participant.customer
    if filling.name and not customer.name:
        customer_change(customer=customer, name=filling.name)
        filled["name"] = filling.name
    if filling.external_id and customer.external_id is None:
        customer_change(customer=customer, external_id=filling.external_id)
        filled["external_id"] = filling.external_id
    linked = _linked(participant) if filling.provider_ids else set()
    for provider, value in (filling.provider_ids or {}).items():
        if provider not in linked:
            provider_customer_link(organization=organization, customer=customer, provider=provider, provider_id=value)
            filled[f"provider:{provider}"] = value
    if filling.referrer_id is not None and participant.referred_by_id is None:
        _refer(organization, participant, filling.referrer_id, filling.attributed_at, actor)
        filled["referred_by"] = str(filling.referrer_id)
    if filled:
        _record(organization, participant, "participant.filled_in", filled, actor)
    return filled


def _linked(participant: Participant) -> set[str]:
    found = ProviderCustomer.objects.filter(customer=participant.customer_id)
    return set(found.values_list("provider", flat=True))


def _refer(
    organization: Organization, participant: Participant, referrer_id: UUID, attributed_at: datetime | None, actor: str
) -> None:
    referrer = Participant.objects.filter(pk=referrer_id, campaign=participant.campaign_id).first()
    if referrer is None:
        raise ReferralRefused("Who referred this person is no longer there.")
    participant_refer(
        organization=organization,
        participant=participant,
        referral_code=referrer.referral_code,
        actor=actor,
        at=attributed_at or participant.joined_at,
        told=False,
    )


@transaction.atomic
def participant_empty(
    *, organization: Organization, participant_id: UUID, filled: Mapping[str, Any], actor: str
) -> list[str]:
    """Take back what `participant_fill` wrote, where it is still that. Answers what stays because it was changed since.

    A referrer stays once an event has counted: something may have been earned by it.
    """
    stays = []
    held = (
        Participant.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer", "campaign")
        .get(pk=participant_id)
    )
    customer = type(held.customer).objects.select_for_update(no_key=True).get(pk=held.customer_id)
    if "name" in filled:
        if customer.name == filled["name"]:
            customer.name = ""
        else:
            stays.append("name")
    if "external_id" in filled:
        if customer.external_id == filled["external_id"]:
            customer.external_id = None
        else:
            stays.append("own id")
    customer.save(update_fields=["name", "external_id"])
    for field, value in filled.items():
        kind, _, provider = field.partition(":")
        if kind == "provider":
            ProviderCustomer.objects.filter(customer=customer, provider=provider, provider_id=value).delete()
    if "referred_by" in filled:
        if str(held.referred_by_id) != filled["referred_by"] or has_counted_event(held):
            stays.append("referrer")
        else:
            held.referred_by = held.attributed_at = None
            held.save(update_fields=["referred_by", "attributed_at"])
    _record(organization, held, "participant.emptied_again", filled, actor)
    return stays


def _record(
    organization: Organization, participant: Participant, kind: str, filled: Mapping[str, Any], actor: str
) -> None:
    happening = Happening(
        kind,
        "participant",
        participant.pk,
        participant.campaign_id,
        {"fields": [name.partition(":")[0] for name in filled]},
    )
    record(organization=organization, actor=actor, happenings=[happening], told=False)
