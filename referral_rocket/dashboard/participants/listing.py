"""The list of participants: who, in which campaign, referred by whom, and what came of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from campaigns.models import Campaign
from participants.attribution import normalised_code
from participants.models import Participant, QualifyingEvent
from participants.selectors import LAST, customers_beginning_with
from referral_rocket.dashboard.pagination import Page, page, page_by_id
from rewards.models import Reward
from rewards.states import RewardStatus

# A prefix that fits more people than this is no search yet: the first so many are looked through.
MOST_PEOPLE = 1000
STATES = (
    ("referred", "Referred by somebody"),
    ("alone", "Came by themselves"),
    ("banned", "Banned"),
    ("erased", "Erased"),
)
_STATE_FILTERS = {
    "referred": Q(referred_by__isnull=False),
    "alone": Q(referred_by__isnull=True),
    "banned": Q(banned_at__isnull=False),
    "erased": Q(customer__erased_at__isnull=False),
}
# The address's word for a sort. `joined` goes by the ids, which is when people were added here: an import brings some who
# joined long before, and no index would serve their own dates.
SORTS = ("-joined", "joined", "name", "-name")


@dataclass(frozen=True)
class Row:
    """A participant with what came of it. `earned` is (currency, sum in minor units) of what isn't canceled."""

    participant: Participant
    referrals: int
    events: int
    earned: Sequence[tuple[str, int]]


@require_safe
def participant_list(request: Any) -> HttpResponse:
    found = matching(request.GET)
    listed = _page(request, found, request.GET.get("sort") or SORTS[0])
    campaigns = list(Campaign.objects.order_by("name", "pk").values_list("pk", "name"))
    context = {
        "page": listed,
        "rows": rows_of(listed.rows),
        "campaigns": campaigns,
        "states": STATES,
        "nobody_yet": not listed.rows and not request.GET,
    }
    return render(request, "participants/list.html", context)


def matching(asked: QueryDict) -> QuerySet[Participant]:
    """The participants that the filters of an address name. Raises BadRequest for a campaign that is no id."""
    found = Participant.objects.select_related("customer", "campaign", "referred_by__customer")
    campaign_id, state = asked.get("campaign", ""), asked.get("state", "")
    if campaign_id:
        found = found.filter(campaign=_id(campaign_id))
    if state in _STATE_FILTERS:
        found = found.filter(_STATE_FILTERS[state])
    search = asked.get("q", "").strip()[:200]
    if search:
        found = found.filter(_beginning_with(search))
    return found


def _beginning_with(search: str) -> Q:
    # Ids first: an OR over two tables would be looked up in neither index.
    people = customers_beginning_with(search).values_list("pk", flat=True)[:MOST_PEOPLE]
    code = normalised_code(search)
    return Q(customer__in=list(people)) | Q(referral_code__gte=code, referral_code__lt=code + LAST)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest("This isn't the id of a campaign.") from error


def _page(request: Any, found: QuerySet[Participant], sort: str) -> Page[Participant]:
    if sort not in ("name", "-name"):
        return page_by_id(request, found, newest_first=sort != "joined")
    rising = sort == "name"

    def fetch(after: Any, before: Any, limit: int) -> list[Participant]:
        backwards = before is not None
        position = before if backwards else after
        up = rising != backwards
        rows = found
        if position is not None:
            rows = rows.filter(_beyond(str(position[0]), _id(str(position[1])), up=up))
        order = ("customer__name", "pk") if up else ("-customer__name", "-pk")
        listed = list(rows.order_by(*order)[:limit])
        return listed[::-1] if backwards else listed

    return page(request, fetch, lambda row: [row.customer.name, row.pk], length=2)


def _beyond(name: str, pk: UUID, *, up: bool) -> Q:
    way = "gt" if up else "lt"
    return Q(**{f"customer__name__{way}": name}) | Q(**{"customer__name": name, f"pk__{way}": pk})


def rows_of(participants: Sequence[Participant]) -> list[Row]:
    """Rows with their counts and sums: three queries, however many participants."""
    ids = [participant.pk for participant in participants]
    referrals = _counts(Participant.objects.filter(referred_by__in=ids).values_list("referred_by"))
    events = _counts(
        QualifyingEvent.objects.filter(participant__in=ids, undone_at__isnull=True).values_list("participant")
    )
    earned: dict[UUID, list[tuple[str, int]]] = defaultdict(list)
    sums = (
        Reward.objects.filter(participant__in=ids)
        .exclude(status__in=[RewardStatus.CANCELED, RewardStatus.PENDING_DEDUCTION, RewardStatus.DEDUCTED])
        .values_list("participant", "currency")
        .annotate(Sum("amount"))
        .order_by("currency")
    )
    for participant_id, currency, amount in sums:
        earned[participant_id].append((currency, amount))
    return [Row(one, referrals.get(one.pk, 0), events.get(one.pk, 0), earned.get(one.pk, ())) for one in participants]


def _counts(rows: Any) -> dict[UUID, int]:
    counted: Iterable[tuple[UUID, int]] = rows.annotate(Count("id")).order_by()
    return dict(counted)
