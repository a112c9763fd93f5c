"""What the search dialog finds: people, campaigns, rewards and batches, by the beginning of a name or a whole id."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from campaigns.models import Campaign
from participants.attribution import normalised_code
from participants.models import Participant
from participants.selectors import customers_beginning_with
from referral_rocket.dashboard.links import to
from referral_rocket.kit.money import format_money
from rewards.models import Reward, RewardBatch
from rewards.selectors import RewardFilter, rewards_matching

# Of each kind; who has more typed too little.
SHOWN = 6


@dataclass(frozen=True)
class Found:
    href: str
    icon: str
    label: str
    note: str


@require_safe
def search(request: Any) -> HttpResponse:
    """A fragment of rows for the dialog; nothing for an empty question."""
    text = request.GET.get("q", "").strip()[:200]
    found = [*_people(request, text), *_campaigns(request, text), *_by_id(request, text)] if text else []
    return render(request, "search/results.html", {"found": found, "text": text})


def _people(request: Any, text: str) -> Iterator[Found]:
    people = Participant.objects.select_related("customer", "campaign")
    by_code = list(people.filter(referral_code=normalised_code(text)))
    customers = list(customers_beginning_with(text).values_list("pk", flat=True)[:SHOWN])
    by_name = list(people.filter(customer__in=customers).order_by("-pk")[:SHOWN])
    for person in dict.fromkeys([*by_code, *by_name]):
        note = f"{person.customer.email or ''} · {person.campaign.name}".strip(" ·")
        yield Found(to(request, "participant", person.pk), "user", str(person.customer), note)


def _campaigns(request: Any, text: str) -> Iterator[Found]:
    # An organization has some dozens of them.
    wanted = text.lower()
    for pk, name in Campaign.objects.order_by("name").values_list("pk", "name"):
        if wanted in name.lower():
            yield Found(to(request, "campaign", pk), "megaphone", name, "Campaign")


def _by_id(request: Any, text: str) -> Iterator[Found]:
    """Rewards of a transaction, and a reward or batch of that id."""
    for reward in _rewards(text):
        amount = format_money(reward.amount, reward.currency)
        yield Found(to(request, "reward", reward.pk), "gift", f"{amount} for {reward.customer}", reward.campaign.name)
    try:
        batch = RewardBatch.objects.filter(pk=UUID(text)).first()
    except ValueError:
        return
    if batch is not None:
        yield Found(to(request, "batch", batch.pk), "list-checks", "Batch", str(batch.pk))


def _rewards(text: str) -> list[Reward]:
    found = rewards_matching(RewardFilter(search=text)).order_by("-pk")
    return list(found[:SHOWN])


urls = [path("search/", search, name="search")]
