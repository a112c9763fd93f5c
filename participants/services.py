"""Joining campaigns, and what is changed about the people in them. Each service is atomic by itself."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from campaigns.models import Campaign
from participants.customers import customer_change as customer_change
from participants.customers import provider_customer_link as provider_customer_link
from participants.erasing import was_erased
from participants.errors import ReferralRefused, SelfReferral, UnknownReferralCode
from participants.joining import Joined, Joining, participants_join
from participants.models import Click, Participant
from participants.payloads import participant_data
from participants.selectors import has_counted_event, participant_by_code
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock


def participant_join(
    *,
    organization: Organization,
    campaign: Campaign,
    email: str,
    actor: str,
    name: str = "",
    external_id: str | None = None,
    referral_code: str | None = None,
    provider_ids: Mapping[str, str] | None = None,
    joined_at: datetime | None = None,
) -> Joined:
    """Make a person a participant; one who is already in the campaign is answered unchanged. See participants_join.

    `referral_code` names the referrer. Raises InvalidEmail, UnknownReferralCode, SelfReferral, IdTaken, PersonErased.
    """
    joining = Joining(
        email=email,
        name=name,
        external_id=external_id,
        referral_code=referral_code,
        provider_ids=provider_ids or {},
        joined_at=joined_at,
    )
    (outcome,) = participants_join(
        organization=organization, campaign=campaign, joinings=[joining], actor=actor, recorded_at=joined_at
    )
    if not isinstance(outcome, Joined):
        raise outcome
    return outcome


def _referrer(campaign: Campaign, code: str | None, key: str) -> Participant | None:
    if not code:
        return None
    referrer = participant_by_code(campaign.pk, code)
    if referrer is None or referrer.customer.erased_at is not None:
        raise UnknownReferralCode(f"No participant of this campaign has the referral code {code}.")
    if referrer.customer.email_key == key:
        raise SelfReferral()
    return referrer


@transaction.atomic
def participant_refer(
    *,
    organization: Organization,
    participant: Participant,
    referral_code: str,
    actor: str,
    at: datetime,
    payment_id: UUID | None = None,
    told: bool = True,
) -> Participant:
    """Set who referred a participant, by the referrer's code, while nobody did and no event has counted.

    `payment_id` names the payment that carried the code: its own events don't count here, since an earlier message
    about it may have come without the code. The participant's row is locked before its events are looked at, as it
    is where events are recorded; so one of the two sees the other. The campaign's lock keeps people who enter one
    another's codes at once from closing a chain. Raises UnknownReferralCode, SelfReferral, ReferralRefused.
    """
    _lock_chain(participant.campaign)
    referrer = _referrer(participant.campaign, referral_code, participant.customer.email_key)
    assert referrer is not None
    held = (
        Participant.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer", "campaign")
        .get(pk=participant.pk)
    )
    if held.customer.erased_at is not None or was_erased(organization, held.customer.email_key):
        raise ReferralRefused("This person was erased before, and nobody is referred twice.")
    if held.referred_by_id is not None:
        raise ReferralRefused("This participant has a referrer already, and a referrer is set once.")
    if has_counted_event(held, besides_payment=payment_id):
        raise ReferralRefused("An event of this participant has counted already, so the referrer stays empty.")
    if _is_above(held, referrer):
        raise ReferralRefused("The referrer was referred by this participant, directly or through others.")
    held.referred_by = referrer
    held.attributed_at = at
    held.save(update_fields=["referred_by", "attributed_at"])
    record(
        organization=organization,
        actor=actor,
        happenings=[
            Happening(
                "participant.referred",
                "participant",
                held.pk,
                held.campaign_id,
                {"by": str(referrer.pk)},
                participant_data(held, held.customer, "REFERRED"),
            )
        ],
        told=told,
    )
    return held


def _lock_chain(campaign: Campaign) -> None:
    # One lock a campaign: locking only the two rows would let three people close a circle at once.
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)


def _is_above(participant: Participant, referrer: Participant) -> bool:
    """Whether the chain upward from `referrer` contains `participant`."""
    above: Participant | None = referrer
    while above is not None:
        if above.pk == participant.pk:
            return True
        above = above.referred_by
    return False


@transaction.atomic
def participant_ban(*, organization: Organization, participant: Participant, reason: str, actor: str) -> None:
    """From now on the participant earns nothing; what is earned stays. Banning again changes nothing."""
    changed = Participant.objects.filter(pk=participant.pk, banned_at__isnull=True).update(
        banned_at=clock.now(organization), ban_reason=reason
    )
    if changed:
        record(
            organization=organization,
            actor=actor,
            happenings=[
                Happening(
                    "participant.banned",
                    "participant",
                    participant.pk,
                    participant.campaign_id,
                    {"reason": reason},
                    _as_told(participant, "BANNED"),
                )
            ],
        )


@transaction.atomic
def participant_unban(*, organization: Organization, participant: Participant, actor: str) -> None:
    changed = Participant.objects.filter(pk=participant.pk, banned_at__isnull=False).update(
        banned_at=None, ban_reason=""
    )
    if changed:
        record(
            organization=organization,
            actor=actor,
            happenings=[
                Happening(
                    "participant.unbanned",
                    "participant",
                    participant.pk,
                    participant.campaign_id,
                    snapshot=_as_told(participant, "UNBANNED"),
                )
            ],
        )


def _as_told(participant: Participant, change: str) -> dict[str, Any]:
    """The participant as the database has it now, for webhooks."""
    fresh = Participant.objects.select_related("customer").get(pk=participant.pk)
    return participant_data(fresh, fresh.customer, change)


def click_store(*, participant: Participant, referrer_host: str, by_bot: bool) -> Click:
    """Note that somebody followed a share link."""
    return Click.objects.create(
        organization=participant.organization,
        campaign=participant.campaign,
        participant=participant,
        at=clock.now(participant.organization),
        referrer_host=referrer_host[:255],
        by_bot=by_bot,
    )
