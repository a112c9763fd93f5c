"""Joining campaigns, and what is changed about the people in them. Each service is atomic by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError, models, transaction

from campaigns.models import Campaign
from participants.attribution import email_key, new_code
from participants.erasing import was_erased
from participants.errors import IdTaken, PersonErased, ReferralRefused, SelfReferral, UnknownReferralCode
from participants.models import Click, Customer, Participant, ProviderCustomer
from participants.payloads import participant_data
from participants.selectors import has_counted_event, participant_by_code
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock

_Row = TypeVar("_Row", bound=models.Model)


@dataclass(frozen=True)
class Joined:
    participant: Participant
    created: bool


@transaction.atomic
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
    """Make a person a participant; one who is already in the campaign is answered unchanged.

    `referral_code` names the referrer. Whoever was erased before may join again, but isn't referred again: a person
    could else be brought, erased and brought once more. Two joins of the same person at once give one participant: the
    second one meets the unique key and answers with the first one's.

    Raises InvalidEmail, UnknownReferralCode, SelfReferral, IdTaken, PersonErased.
    """
    key = email_key(email)
    referrer = _referrer(campaign, referral_code, key)
    known = Participant.objects.select_related("customer", "referred_by").filter(
        campaign=campaign, customer__email_key=key
    )
    participant = known.first()
    if participant is not None:
        # Before anything is written: somebody who joins again must not be able to say where a customer's credit goes.
        return Joined(participant, created=False)
    came_back = referrer is not None and was_erased(organization, key)
    if came_back:
        referrer = None
    customer = _customer(organization, key, email, name, external_id, provider_ids or {})
    moment = joined_at or clock.now(organization)
    participant = _insert_participant(organization, campaign, customer, referrer, moment)
    if participant is None:
        return Joined(known.get(), created=False)
    record(
        organization=organization,
        actor=actor,
        at=moment,
        happenings=[
            Happening(
                "participant.joined",
                "participant",
                participant.pk,
                campaign.pk,
                {"referred_by": str(referrer.pk) if referrer else None, "erased_before": came_back},
                participant_data(participant, customer, "JOINED"),
            )
        ],
    )
    return Joined(participant, created=True)


def _referrer(campaign: Campaign, code: str | None, key: str) -> Participant | None:
    if not code:
        return None
    referrer = participant_by_code(campaign.pk, code)
    if referrer is None or referrer.customer.erased_at is not None:
        raise UnknownReferralCode(f"No participant of this campaign has the referral code {code}.")
    if referrer.customer.email_key == key:
        raise SelfReferral("This is the participant's own code, and nobody refers themselves.")
    return referrer


def _customer(
    organization: Organization,
    key: str,
    email: str,
    name: str,
    external_id: str | None,
    provider_ids: Mapping[str, str],
) -> Customer:
    """The customer of that address, made if there is none. What is already known about one is not overwritten."""
    customer = Customer.objects.filter(email_key=key).first()
    if customer is None:
        customer = _insert(
            Customer(
                organization=organization,
                email=email.strip(),
                email_key=key,
                name=name.strip(),
                external_id=external_id or None,
                created_at=clock.now(organization),
            ),
            "customer_external_id_once",
            f"Another customer has the external id {external_id}.",
        )
        customer = customer or Customer.objects.get(email_key=key)
    elif external_id and customer.external_id is None:
        customer_change(customer=customer, external_id=external_id)
    for provider, provider_id in provider_ids.items():
        provider_customer_link(organization=organization, customer=customer, provider=provider, provider_id=provider_id)
    return customer


def _insert(row: _Row, id_constraint: str, id_message: str) -> _Row | None:
    """Insert the row; None if another transaction was first with the same key. Raises IdTaken."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if id_constraint in str(error):
            raise IdTaken(id_message) from error
        return None
    return row


def _insert_participant(
    organization: Organization, campaign: Campaign, customer: Customer, referrer: Participant | None, moment: datetime
) -> Participant | None:
    """None if the customer became a participant at the same time. A code that is taken is drawn again."""
    while True:
        participant = Participant(
            organization=organization,
            campaign=campaign,
            customer=customer,
            referral_code=new_code(),
            referred_by=referrer,
            attributed_at=moment if referrer else None,
            joined_at=moment,
        )
        try:
            with transaction.atomic():
                participant.save(force_insert=True)
        except IntegrityError as error:
            if "participant_once" in str(error):
                return None
            if "referral_code" not in str(error):
                raise
            continue
        return participant


def provider_customer_link(
    *, organization: Organization, customer: Customer, provider: str, provider_id: str
) -> ProviderCustomer:
    """Note a customer's id at a provider; a new one replaces the old.

    Raises IdTaken where it is another customer's, PersonErased where the customer was erased meanwhile.
    """
    with transaction.atomic():
        held = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        if held.erased_at is not None:
            raise PersonErased("This person was erased; no id of theirs is kept.")
        known = ProviderCustomer.objects.select_for_update().filter(provider=provider, provider_id=provider_id).first()
        if known is not None and known.customer_id != customer.pk:
            raise IdTaken(f"Another customer has the {provider} id {provider_id}.")
        link, _ = ProviderCustomer.objects.update_or_create(
            organization=organization, customer=customer, provider=provider, defaults={"provider_id": provider_id}
        )
    return link


def customer_change(*, customer: Customer, name: str | None = None, external_id: str | None = None) -> None:
    """Raises IdTaken where another customer has the external id, PersonErased where the person was erased meanwhile."""
    customer.name = customer.name if name is None else name.strip()
    customer.external_id = customer.external_id if external_id is None else external_id
    known = Customer.objects.filter(pk=customer.pk, erased_at__isnull=True)
    try:
        with transaction.atomic():
            changed = known.update(name=customer.name, external_id=customer.external_id)
    except IntegrityError as error:
        raise IdTaken(f"Another customer has the external id {external_id}.") from error
    if not changed:
        raise PersonErased("This person was erased; nothing about them can be changed.")


@transaction.atomic
def participant_refer(
    *,
    organization: Organization,
    participant: Participant,
    referral_code: str,
    actor: str,
    at: datetime,
    payment_id: UUID | None = None,
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
