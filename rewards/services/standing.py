"""Loads what the past says about the people of a claim of events: a fixed number of queries, however many events."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncMonth

from campaigns.models import Campaign, RewardRule
from participants.models import Participant, QualifyingEvent
from rewards.models import Reward, RewardTotals
from rewards.rules import Standing

# Payments of at least a rule's minimum that aren't fully refunded, for each pair of participant and minimum.
_PAID = """
SELECT wanted.participant_id, wanted.threshold, count(event.id)
FROM unnest(%s::uuid[], %s::bigint[]) AS wanted(participant_id, threshold)
JOIN campaigns_campaign AS campaign ON campaign.id = %s
JOIN participants_qualifyingevent AS event ON event.participant_id = wanted.participant_id
    AND event.undone_at IS NULL AND event.type = campaign.qualifying_event
    AND coalesce(event.currency, campaign.currency) = campaign.currency
    AND coalesce(event.amount, 0) >= wanted.threshold AND coalesce(event.net_amount, 1) > 0
    AND NOT event.id = ANY(%s::uuid[]) AND (%s::timestamptz IS NULL OR event.occurred_at < %s)
GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Scene:
    """One campaign's part of a claim: its rules, and the people that its new events concern.

    With `before`, only what occurred before that time counts, and the budget is left out.
    """

    campaign: Campaign
    rules: Sequence[RewardRule]
    participants: Sequence[Participant]
    new_events: Sequence[UUID]
    before: datetime | None = None

    @property
    def events(self) -> Q:
        """What counts, as a condition on events."""
        found = Q(type=self.campaign.qualifying_event, undone_at__isnull=True)
        return found if self.before is None else found & Q(occurred_at__lt=self.before)

    @property
    def rewards(self) -> Q:
        """What counts, as a condition on rewards."""
        found = Q(target_amount__gt=0, event__isnull=False)
        return found if self.before is None else found & Q(event__occurred_at__lt=self.before)


def load(scene: Scene, zone: ZoneInfo) -> Standing:
    """What counted before the new events of the scene. At most six queries; those that no rule needs are left out."""
    standing = Standing()
    people = [participant.pk for participant in scene.participants]
    referrers = [participant.referred_by_id for participant in scene.participants if participant.referred_by_id]
    rule_ids = {rule.rule_id for rule in scene.rules}
    _load_paid(standing, scene, people)
    if any(rule.min_total_spent is not None for rule in scene.rules):
        _load_spent(standing, scene, people)
    if any(rule.tiers or rule.every_n_referrals for rule in scene.rules):
        # The buyers' own too: a tier may be for whoever has referred enough people, and buys.
        _load_referrals(standing, scene, [*people, *referrers])
    _load_first_rewarded(standing, scene, people, rule_ids)
    counted = {
        rule.rule_id
        for rule in scene.rules
        if rule.every_n_referrals or rule.max_rewards_per_participant or rule.max_amount_per_month
    }
    if counted:
        _load_given(standing, scene, {*people, *referrers}, counted, zone)
    if scene.campaign.budget is not None and scene.before is None:
        standing.budget_used = budget_used(scene.campaign.pk)
    return standing


def budget_used(campaign_id: UUID) -> int:
    """The sum of the targets of a campaign's rewards. Exact only while the caller holds the campaign's lock."""
    return RewardTotals.objects.filter(campaign_id=campaign_id).aggregate(used=Sum("target"))["used"] or 0


def _load_paid(standing: Standing, scene: Scene, people: Sequence[UUID]) -> None:
    thresholds = sorted({rule.min_purchase for rule in scene.rules})
    pairs = [(person, threshold) for person in people for threshold in thresholds]
    with connection.cursor() as cursor:
        cursor.execute(
            _PAID,
            [
                [pair[0] for pair in pairs],
                [pair[1] for pair in pairs],
                scene.campaign.pk,
                list(scene.new_events),
                scene.before,
                scene.before,
            ],
        )
        for person, threshold, count in cursor.fetchall():
            standing.paid[person, threshold] = count


def _load_spent(standing: Standing, scene: Scene, people: Sequence[UUID]) -> None:
    rows = (
        QualifyingEvent.objects.filter(scene.events, participant__in=people, currency=scene.campaign.currency)
        .exclude(pk__in=scene.new_events)
        .values_list("participant")
        .annotate(Sum("net_amount"))
    )
    standing.spent.update({person: total or 0 for person, total in rows})


def _load_referrals(standing: Standing, scene: Scene, referrers: Sequence[UUID]) -> None:
    rows = (
        QualifyingEvent.objects.filter(
            scene.events,
            Q(currency=scene.campaign.currency) | Q(currency__isnull=True),
            participant__referred_by__in=referrers,
        )
        .exclude(pk__in=scene.new_events)
        .exclude(net_amount=0)
        .values_list("participant__referred_by", "participant")
        .distinct()
    )
    for referrer, referred in rows:
        if referrer is not None:
            standing.referrals[referrer].add(referred)


def _load_first_rewarded(standing: Standing, scene: Scene, people: Sequence[UUID], rule_ids: Iterable[UUID]) -> None:
    rows = (
        Reward.objects.filter(scene.rewards, event__participant__in=people, rule__rule_id__in=rule_ids)
        .values_list("rule__rule_id", "event__participant")
        .annotate(Min("event__occurred_at"))
    )
    standing.first_rewarded.update({(rule_id, person): first for rule_id, person, first in rows})


def _load_given(
    standing: Standing, scene: Scene, people: Iterable[UUID], rule_ids: Iterable[UUID], zone: ZoneInfo
) -> None:
    rows = (
        Reward.objects.filter(scene.rewards, participant__in=people, rule__rule_id__in=rule_ids)
        .values("rule__rule_id", "participant", month=TruncMonth("event__occurred_at", tzinfo=zone))
        .annotate(count=Count("id"), total=Sum("target_amount"))
    )
    given: dict[tuple[UUID, UUID], int] = defaultdict(int)
    for row in rows:
        key = (row["rule__rule_id"], row["participant"])
        given[key] += row["count"]
        standing.month_sum[*key, f"{row['month']:%Y-%m}"] = row["total"]
    standing.reward_count.update(given)
