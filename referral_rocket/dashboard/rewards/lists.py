"""The Rewards section: campaigns with rewards due, and lists of rewards in review, waiting, to take back, or all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from campaigns.models import Campaign, FulfilmentKind
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Ability
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.csv_lines import csv_line
from referral_rocket.dashboard.links import to
from referral_rocket.dashboard.methods import method_name
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.kit import clock
from referral_rocket.kit.money import plain
from rewards.models import Decision, Reward
from rewards.selectors import (
    RewardFilter,
    campaigns_due,
    reward_currencies,
    rewards_matching,
    status_counts,
    waiting_counts,
)
from rewards.services.automatic import ahead_of
from rewards.services.reviewing import rewards_approve, rewards_reject
from rewards.states import RewardStatus, RewardType, WaitingFor

TABS = ("due", "review", "waiting", "deductions", "all")
_EXPORTED_AT_ONCE = 1_000
_COLUMNS = (
    "reward_id", "campaign", "participant_id", "customer_id", "email", "name", "type", "status", "waiting_for",
    "amount", "earned_amount", "remainder_amount", "refunded_amount", "currency", "transaction_id", "method",
    "provider_reference", "reason", "earned_at", "due_at", "issued_at",
)  # fmt: skip


@require_safe
def rewards_list(request: Any) -> HttpResponse:
    tab = request.GET.get("tab", "due")
    if tab not in TABS:
        tab = "due"
    counts, waiting = status_counts(), waiting_counts()
    in_review = waiting.get(WaitingFor.REVIEW, 0)
    context = {
        "tab": tab,
        "due_number": counts.get(RewardStatus.PENDING, 0),
        "review_number": in_review,
        "waiting_number": sum(waiting.values()) - in_review,
        "deduction_number": counts.get(RewardStatus.PENDING_DEDUCTION, 0),
        "has_deductions": any(counts.get(each) for each in (RewardStatus.PENDING_DEDUCTION, RewardStatus.DEDUCTED)),
        "has_rewards": any(counts.values()),
    }
    if tab == "due":
        due_now = campaigns_due()
        told = ahead_of(due.campaign for due in due_now)
        lines = [(due, _issued_by(due.campaign), told.get(due.campaign.pk)) for due in due_now]
        return render(request, "rewards/campaigns.html", {**context, "lines": lines})
    newest_first = request.GET.get("sort") != "earned"
    page = page_by_id(request, rewards_matching(reward_filter(tab, request.GET)), newest_first=newest_first)
    if tab == "review":
        _tell_why(page.rows)
    elif tab == "waiting":
        _tell_when(page.rows, clock.now(request.organization))
    context |= {
        "page": page,
        "statuses": RewardStatus.choices,
        "types": RewardType.choices,
        "currencies": [(currency, currency) for currency in reward_currencies()],
        "waits": [choice for choice in WaitingFor.choices if choice[0] != WaitingFor.REVIEW],
        "campaigns": list(Campaign.objects.order_by("name").values_list("pk", "name")),
    }
    return render(request, "rewards/list.html", context)


def _tell_why(rewards: Sequence[Reward]) -> None:
    """Give each reward in review `why`: what its decision says, else the reason that was given with it. One query."""
    said = dict(Decision.objects.filter(reward__in=[reward.pk for reward in rewards]).values_list("reward", "message"))
    for reward in rewards:
        reward.why = said.get(reward.pk) or reward.reason or ""  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Expected:
    """When a reward that waits is due: at a moment to come, or once something has happened, in words."""

    due_at: datetime | None = None
    words: str = ""
    held_until: datetime | None = None


def _tell_when(rewards: Sequence[Reward], now: datetime) -> None:
    """Give each reward that waits `expected`."""
    for reward in rewards:
        reward.expected = _expected(reward, now)  # type: ignore[attr-defined]


def _expected(reward: Reward, now: datetime) -> Expected:
    held_until = reward.releases_at if reward.releases_at is not None and reward.releases_at > now else None
    if reward.waiting_for == WaitingFor.REVIEW:
        return Expected(words="After its review", held_until=held_until)
    if reward.waiting_for == WaitingFor.CARRY:
        return Expected(words="Once it is enough")
    if reward.campaign.aggregates:
        return Expected(words="Next total", held_until=held_until)
    # Its holding period has ended, and the next sweep sees it.
    return Expected(due_at=held_until) if held_until else Expected(words="In a moment")


@require_POST
@requires(Ability.ISSUE)
def review(request: Any) -> HttpResponse:
    """Approve or reject the rewards that were selected in the queue."""
    chosen = [found for text in request.POST.getlist("selected") if (found := _uuid_or_none(text)) is not None]
    reason = request.POST.get("reason", "").strip()[:500]
    if not chosen:
        messages.error(request, "Select rewards first.")
    elif request.POST.get("decision") == "approve":
        number = rewards_approve(organization=request.organization, reward_ids=chosen, actor=request.actor)
        messages.success(
            request, f"Approved: {number} of {len(chosen)}." if number else "They were decided about already."
        )
    elif not reason:
        messages.error(request, "Nothing was rejected: give a reason, which is shown with each.")
    else:
        number = rewards_reject(
            organization=request.organization, reward_ids=chosen, actor=request.actor, reason=reason
        )
        messages.success(request, f"Rejected: {number} of {len(chosen)}. Nothing is owed for them.")
    return redirect(to(request, "rewards") + "?tab=review")


def _issued_by(campaign: Campaign) -> str:
    by_webhook = campaign.fulfilment_kind == FulfilmentKind.WEBHOOK
    return "Your own system" if by_webhook else method_name(campaign.fulfilment_method)


def reward_filter(tab: str, asked: QueryDict) -> RewardFilter:
    """What a tab and its filters ask for; what they don't know is left out."""
    statuses: tuple[str, ...] = ()
    waiting_for: tuple[str, ...] = ()
    if tab == "review":
        statuses, waiting_for = (RewardStatus.EARNED,), (WaitingFor.REVIEW,)
    elif tab == "waiting":
        statuses = (RewardStatus.EARNED,)
        waiting_for = tuple(each for each in WaitingFor.values if each != WaitingFor.REVIEW)
    elif tab == "deductions":
        statuses = (RewardStatus.PENDING_DEDUCTION, RewardStatus.DEDUCTED)
    status, waits = asked.get("status", ""), asked.get("waiting", "")
    if status in RewardStatus.values and (not statuses or status in statuses):
        statuses = (status,)
    if waits in WaitingFor.values and tab != "review":
        waiting_for = (waits,)
    return RewardFilter(
        statuses=statuses,
        waiting_for=waiting_for,
        campaign_id=_uuid_or_none(asked.get("campaign", "")),
        type=asked.get("type", "") if asked.get("type", "") in RewardType.values else "",
        currency=asked.get("currency", ""),
        search=asked.get("q", "")[:200],
    )


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@require_safe
def rewards_export(request: Any) -> StreamingHttpResponse:
    """All rewards that the filters let through, as CSV, the oldest first; amounts in major units."""
    chosen = reward_filter(request.GET.get("tab", "all"), request.GET)
    response = StreamingHttpResponse(_export(request.organization, chosen), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="rewards-{request.organization.slug}.csv"'
    return response


def _export(organization: Organization, chosen: RewardFilter) -> Iterator[str]:
    # It runs after the request's transaction has ended, so each step opens the organization anew.
    yield csv_line(_COLUMNS)
    last: UUID | None = None
    while True:
        with tenant(organization):
            found = rewards_matching(chosen)
            if last is not None:
                found = found.filter(pk__gt=last)
            rewards = list(found.order_by("pk")[:_EXPORTED_AT_ONCE])
        for reward in rewards:
            yield csv_line(_values(reward))
        if len(rewards) < _EXPORTED_AT_ONCE:
            return
        last = rewards[-1].pk


def _values(reward: Reward) -> list[object]:
    customer = reward.customer
    amounts = (reward.amount, reward.earned_amount, reward.remainder_amount, reward.refunded_amount)
    return [
        reward.pk, reward.campaign.name, reward.participant_id, customer.pk, customer.email, customer.name, reward.type,
        reward.status, reward.waiting_for, *(plain(amount, reward.currency) for amount in amounts), reward.currency,
        reward.transaction_id, reward.method, reward.provider_reference, reward.reason,
        *(clock.rfc3339(moment) for moment in (reward.earned_at, reward.due_at, reward.issued_at)),
    ]  # fmt: skip
