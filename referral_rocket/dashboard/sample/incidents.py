"""What makes the days a story: goodwill, returns, a mistake, a ban. Each happens once, at its time.

An incident is called inside `tenant()` and `clock.as_of` of its moment. What it needs and doesn't find, it leaves out:
in a small organization there may be nothing to return.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from participants.models import Participant, QualifyingEvent, Source
from participants.reversals import ReversalReport
from participants.services import participant_ban
from referral_rocket.accounts.models import Organization
from referral_rocket.dashboard.sample.recipes import MANUAL, STRIPE_CREDIT
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.confirming import reward_deduct, reward_give
from rewards.services.reversing import transaction_reverse
from rewards.services.undoing import event_undo
from rewards.states import RewardStatus
from webhooks.inbound.models import InboundEvent, InboundStatus


@dataclass(frozen=True)
class Scene:
    """Where an incident happens. `actor` is the marketer, `shop` the tenant's own system."""

    organization: Organization
    actor: str
    shop: str
    random: Random


Incident = Callable[[Scene], None]


def incidents(now: datetime) -> Sequence[tuple[datetime, Incident]]:
    """In the order of their times."""
    return [
        (now - timedelta(days=6, minutes=37), _gift(1500, "Sorry about the late delivery")),
        (now - timedelta(days=3, hours=8), _returned),
        (now - timedelta(days=3, hours=5), _returned),
        (now - timedelta(days=3, minutes=37), _gift(2000, "Featured our beans in a blog post")),
        (now - timedelta(days=2, hours=3), _banned),
        (now - timedelta(days=1, hours=2), _broken_webhook),
        (now - timedelta(hours=20), _taken_back),
        (now - timedelta(hours=6), _returned_beside_thanks),
        (now - timedelta(hours=5), _marked_by_mistake),
    ]


def _gift(amount: int, reason: str) -> Incident:
    def give(scene: Scene) -> None:
        everybody = Participant.objects.filter(campaign__fulfilment_method=STRIPE_CREDIT, banned_at__isnull=True)
        people = list(everybody.select_related("customer", "campaign").order_by("pk"))
        if people:
            reward_give(
                organization=scene.organization,
                participant=scene.random.choice(people),
                amount=amount,
                reason=reason,
                actor=scene.actor,
            )

    return give


def _returned(scene: Scene) -> None:
    """A purchase comes back after its reward was given by hand, if possible to somebody who has others due there."""
    due = Reward.objects.filter(status=RewardStatus.PENDING, campaign=OuterRef("campaign"))
    issued = _issued_by_hand().annotate(
        owed=Exists(due.filter(participant=OuterRef("participant"))), beside=Exists(due)
    )
    reward = issued.order_by("-owed", "-beside", "-amount", "pk").first()
    if reward is not None:
        _give_back(scene, reward)


def _returned_beside_thanks(scene: Scene) -> None:
    """Somebody is thanked and returns a purchase on the same day: a deduction stands beside what is due to them."""
    reward = _issued_by_hand().filter(participant__banned_at__isnull=True).order_by("amount", "pk").first()
    if reward is not None:
        reward_give(
            organization=scene.organization,
            participant=reward.participant,
            amount=2 * reward.amount,
            reason="Helped at our stand on the market",
            actor=scene.actor,
        )
        _give_back(scene, reward)


def _issued_by_hand() -> QuerySet[Reward]:
    return Reward.objects.filter(
        status=RewardStatus.AVAILABLE,
        method=MANUAL,
        event__source=Source.API,
        event__net_amount__gt=0,
        event__transaction_id__isnull=False,
    ).select_related("event", "participant__customer", "participant__campaign")


def _give_back(scene: Scene, reward: Reward) -> None:
    assert reward.event is not None
    assert reward.event.transaction_id is not None
    transaction_reverse(
        organization=scene.organization,
        campaign_id=reward.campaign_id,
        transaction_id=reward.event.transaction_id,
        report=ReversalReport(refund_id=f"return-{reward.event.transaction_id}", amount=None),
        actor=scene.shop,
    )


def _taken_back(scene: Scene) -> None:
    """Of what is to be taken back after returns, one is; the rest waits."""
    deduction = Reward.objects.filter(status=RewardStatus.PENDING_DEDUCTION, fulfilment_method=MANUAL)
    first = deduction.order_by("pk").first()
    if first is not None:
        reward_deduct(organization=scene.organization, reward=first, actor=scene.actor)


def _banned(scene: Scene) -> None:
    people = list(Participant.objects.filter(referred_by__isnull=True).order_by("pk"))
    if people:
        participant_ban(
            organization=scene.organization,
            participant=scene.random.choice(people),
            reason="Shared the link as an advertisement on coupon sites",
            actor=scene.actor,
        )


def _broken_webhook(scene: Scene) -> None:
    """An event that could not be worked off when it came, for a person to replay; of somebody unknown here."""
    last = InboundEvent.objects.order_by("-pk").first()
    if last is None:
        return
    body: dict[str, Any] = json.loads(bytes(last.body))
    mode = scene.organization.mode.lower()
    body["id"] = f"evt_sampleStranger{mode}"
    body["data"]["object"] |= {
        "id": f"pi_sampleStranger{mode}",
        "customer": "cus_sampleStranger",
        "receipt_email": "passer-by@example.com",
        "latest_charge": f"ch_sampleStranger{mode}",
    }
    now = clock.wall()
    InboundEvent.objects.create(
        organization=scene.organization,
        connection_id=last.connection_id,
        provider_event_id=body["id"],
        event_type=body["type"],
        livemode=last.livemode,
        body=json.dumps(body).encode(),
        received_at=now,
        next_attempt_at=now,
        status=InboundStatus.FAILED,
        attempts=7,
        reason="OperationalError: canceling statement due to lock timeout",
    )


def _marked_by_mistake(scene: Scene) -> None:
    by_hand = QualifyingEvent.objects.filter(source=Source.HAND, rewards__status=RewardStatus.EARNED)
    event = by_hand.order_by("-pk").first()
    if event is not None:
        event_undo(organization=scene.organization, event=event, actor=scene.actor)
