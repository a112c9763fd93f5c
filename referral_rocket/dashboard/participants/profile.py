"""A participant's page."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from participants.models import Click, Participant, QualifyingEvent
from referral_rocket.dashboard.participants.forms import forms_of
from referral_rocket.dashboard.participants.qr import share_link
from referral_rocket.dashboard.participants.story import event_lines, story
from rewards.models import Decision, Reward, RewardTransition
from rewards.services.claims import claimed
from rewards.states import RewardStatus

# Of a participant with more than that the page shows the newest; the rest is a filter of the lists.
MOST_EVENTS = 50
MOST_REWARDS = 100
MOST_REFERRALS = 25
# How far the chain of referrers is followed upward.
MOST_ABOVE = 4


@dataclass(frozen=True)
class Balance:
    """Sums of a participant's rewards in one currency, in minor units. `waiting` is earned and not due yet."""

    currency: str
    waiting: int
    due: int
    issued: int
    to_take_back: int


@dataclass(frozen=True)
class Tree:
    """Who referred whom around a participant: `above` from the top down, then the people brought by this one."""

    above: Sequence[Participant]
    referred: Sequence[Participant]
    more: int


@require_safe
def participant(request: Any, participant_id: UUID) -> HttpResponse:
    return show(request, participant_or_404(participant_id))


def participant_or_404(participant_id: UUID) -> Participant:
    found: QuerySet[Participant] = Participant.objects.select_related("customer", "campaign", "referred_by__customer")
    return get_object_or_404(found, pk=participant_id)


def show(request: Any, participant: Participant, *, opened: str = "", status: int = 200, **forms: Any) -> HttpResponse:
    """The page; `opened` names the dialog that stands open, with what is wrong in its form, given in `forms`."""
    told = QualifyingEvent.objects.filter(participant=participant).select_related("payment")
    events = list(told.order_by("-occurred_at", "-pk")[:MOST_EVENTS])
    rewards = list(
        Reward.objects.filter(participant=participant).select_related("campaign", "rule").order_by("-pk")[:MOST_REWARDS]
    )
    context = {
        "participant": participant,
        "lines": _event_lines(events),
        "rewards": rewards,
        "entries": story(participant, events, rewards, _transitions(rewards)),
        "balances": _balances(participant),
        # What the lists of rewards find this person by; nothing of an erased one.
        "own_words": participant.customer.email or participant.customer.name or "",
        "tree": _tree(participant),
        "clicks": Click.objects.filter(participant=participant, by_bot=False).count(),
        "share_link": share_link(participant),
        "provider_ids": participant.customer.provider_customers.order_by("provider"),
        "elsewhere": Participant.objects.filter(customer=participant.customer_id)
        .exclude(pk=participant.pk)
        .select_related("campaign"),
        "opened": opened,
        "can_refer": participant.referred_by_id is None and not any(event.undone_at is None for event in events),
        **forms_of(participant, request.organization),
        **forms,
    }
    return render(request, "participants/participant.html", context, status=status)


def _event_lines(events: Sequence[QualifyingEvent]) -> Any:
    ids = [event.pk for event in events]
    decisions = list(
        Decision.objects.filter(event__in=ids)
        .select_related("rule", "reward__participant__customer")
        .order_by("rule__position", "pk")
    )
    by_event: dict[UUID, list[Reward]] = defaultdict(list)
    for decision in decisions:
        if decision.reward is not None:
            by_event[decision.event_id].append(decision.reward)
    taken = claimed(reward.pk for rewards in by_event.values() for reward in rewards)
    return event_lines(events, decisions, by_event, taken)


def _transitions(rewards: Sequence[Reward]) -> QuerySet[RewardTransition]:
    return RewardTransition.objects.filter(reward__in=[reward.pk for reward in rewards]).order_by("pk")


def _balances(participant: Participant) -> list[Balance]:
    # Summed in the database: not only over the rewards that are listed.
    rows = (
        Reward.objects.filter(participant=participant)
        .values_list("currency", "status")
        .annotate(Sum("amount"))
        .order_by("currency")
    )
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for currency, status, amount in rows:
        sums[currency][status] = amount
    return [
        Balance(
            currency,
            waiting=by_status[RewardStatus.EARNED],
            due=by_status[RewardStatus.PENDING],
            issued=by_status[RewardStatus.AVAILABLE],
            to_take_back=by_status[RewardStatus.PENDING_DEDUCTION],
        )
        for currency, by_status in sums.items()
    ] or [Balance(participant.campaign.currency, 0, 0, 0, 0)]


def _tree(participant: Participant) -> Tree:
    above: list[Participant] = []
    current = participant.referred_by
    while current is not None and len(above) < MOST_ABOVE:
        above.insert(0, current)
        current = (
            Participant.objects.select_related("customer").filter(pk=current.referred_by_id).first()
            if current.referred_by_id
            else None
        )
    referred = Participant.objects.filter(referred_by=participant).select_related("customer")
    listed = list(referred.annotate(brought=Count("referrals")).order_by("-pk")[:MOST_REFERRALS])
    more = referred.count() - len(listed) if len(listed) == MOST_REFERRALS else 0
    return Tree(above, listed, more)
