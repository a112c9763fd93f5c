"""Asking participants by mail for what is missing before their rewards can be sent.

Here it is only queued and put on record; the mail itself is sent by `webhooks.outbound.asking`. A person is asked once
in a week, whoever asks and about however many rewards: the customer's row is locked while that is looked at. Nobody is
asked who was erased, or from a test organization, whose people may be made up. Product pages for participants don't
exist (product.md, Three kinds of users), so the mail says whom to answer: the member who asked.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from integrations.registry import provider_of_method
from participants.models import Customer
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from rewards.models import BatchItem
from rewards.recipient_requests import RecipientRequest
from rewards.services.claims import claimed
from rewards.states import RewardStatus

# Codes (api.md, Batch) of what the participant alone knows.
ASKABLE = frozenset(
    {"customer_not_found", "several_customers", "customer_deleted", "invalid_recipient", "product_unavailable"}
)
# A person isn't asked twice within so long.
EVERY = timedelta(days=7)


class NobodyToAsk(Exception):
    """Nobody can be asked. `message` is for whoever wanted to."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Asked:
    """How many people a mail was queued for, and how many were left out, since they were asked lately or are gone."""

    queued: int
    lately: int
    gone: int


@transaction.atomic
def recipients_ask(*, organization: Organization, items: Iterable[BatchItem], actor: str, reply_to: str) -> Asked:
    """Queue a mail to each person of these items, whose rewards are still due and claimed by nobody.

    Items come with batch and reward. Raises NobodyToAsk where none of them waits for anything of the participant's.
    """
    if organization.is_test:
        raise NobodyToAsk("From a test organization nobody is mailed: its people may be made up.")
    by_person = _by_person(items)
    if not by_person:
        raise NobodyToAsk("None of these waits for something that the participant could give.")
    people = list(Customer.objects.select_for_update(no_key=True).filter(pk__in=by_person).order_by("pk"))
    now = clock.wall()
    last = last_asked([person.pk for person in people])
    free = [person for person in people if person.erased_at is None and person.email]
    wanted = [person for person in free if person.pk not in last or last[person.pk] <= now - EVERY]
    RecipientRequest.objects.bulk_create(
        RecipientRequest(
            organization=organization,
            customer=person,
            rewards=[str(item.reward_id) for item in by_person[person.pk]],
            code=by_person[person.pk][0].code,
            provider=provider_of_method(by_person[person.pk][0].batch.method).slug,
            reply_to=reply_to,
            actor=actor,
            created_at=now,
            next_attempt_at=now,
        )
        for person in wanted
    )
    record(
        organization=organization,
        actor=actor,
        happenings=[_happening(item) for person in wanted for item in by_person[person.pk]],
    )
    return Asked(queued=len(wanted), lately=len(free) - len(wanted), gone=len(people) - len(free))


def _happening(item: BatchItem) -> Happening:
    return Happening(
        "participant.asked",
        "participant",
        item.reward.participant_id,
        campaign_id=item.reward.campaign_id,
        data={"code": item.code, "reward": str(item.reward_id)},
    )


def _by_person(items: Iterable[BatchItem]) -> dict[UUID, list[BatchItem]]:
    asked = [each for each in items if each.code in ASKABLE and each.reward.status == RewardStatus.PENDING]
    being_issued = claimed(each.reward_id for each in asked)
    found: dict[UUID, list[BatchItem]] = defaultdict(list)
    for item in asked:
        if item.reward_id not in being_issued:
            found[item.reward.customer_id].append(item)
    return found


def last_asked(customers: Sequence[UUID]) -> dict[UUID, datetime]:
    """When each was asked last, of those who were; a mail that was dropped doesn't count. One query."""
    asked = RecipientRequest.objects.filter(customer__in=customers, dropped="").order_by()
    return dict(asked.values_list("customer").annotate(Max("created_at")))
