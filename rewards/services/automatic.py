"""Automatic issuing: what is due goes into batches by itself, when its campaign says.

A run is one transaction with its row, unique by campaign and day: killed before the commit, the next sweep makes it;
two sweeps at once, the second finds the row. After downtime the last day that was missed is made up, once, and takes
all that is due. Its batches claim each reward as any other batch does, so nothing goes twice, whoever presses Issue
Reward meanwhile. What can't be issued by the way that was fixed for it (no connection, by hand) is left due.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.db import connection
from django.db.models import Exists, OuterRef

from campaigns.models import AutoIssueWhen, Campaign, FulfilmentKind
from campaigns.services import MANUAL
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from rewards.errors import ConnectionRequired
from rewards.models import AutomaticRun, Claim, Reward
from rewards.services.batches import batch_create
from rewards.services.selecting import Selection
from rewards.states import RewardStatus

ACTOR = "system:automatic"
# `all due` of one method is one batch of at most so many; the next sweep of AT_ONCE, or the next run, takes the rest.
MOST = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ahead:
    """What the next run would issue: when, and by method (number, amount)."""

    on: date
    at_once: bool
    by_method: Sequence[tuple[str, int, int]]
    over_limit: int
    needs_approval: bool
    paused: bool = False


def runs_everywhere() -> int:
    """Make the runs that are due, campaign by campaign; how many rewards went into batches."""
    with every_organization("sweep of automatic issuing"):
        campaigns = list(
            Campaign.objects.exclude(auto_issue_when=AutoIssueWhen.OFF)
            .filter(fulfilment_kind=FulfilmentKind.METHOD)
            .select_related("organization")
            .order_by("pk")
        )
        last: dict[UUID, date] = {}
        runs = AutomaticRun.objects.filter(campaign__in=campaigns).values_list("campaign", "run_on")
        for campaign_id, run_on in runs:
            last[campaign_id] = max(run_on, last.get(campaign_id, run_on))
    issued = 0
    for campaign in campaigns:
        day = run_day(campaign, clock.now(campaign.organization))
        if day is None or (
            campaign.auto_issue_when != AutoIssueWhen.AT_ONCE and last.get(campaign.pk, date.min) >= day
        ):
            continue
        try:
            issued += _run(campaign.organization, campaign.pk)
        except ConnectionRequired as error:
            log.warning("automatic_run_waits", campaign=str(campaign.pk), message=error.message)
        except Exception:
            # It stops only itself.
            log.exception("automatic_run_failed", campaign=str(campaign.pk))
    return issued


def run_day(campaign: Campaign, now: datetime) -> date | None:
    """The latest day, up to now, on which the campaign issues by itself; None where there is none since it was set."""
    zone = campaign.organization.zone
    today = now.astimezone(zone).date()
    if campaign.auto_issue_when == AutoIssueWhen.OFF or campaign.auto_issue_since is None:
        return None
    if campaign.auto_issue_paused_at is not None:
        return None
    if campaign.auto_issue_when == AutoIssueWhen.AT_ONCE:
        return today
    day = next(each for each in (today - timedelta(days=back) for back in range(62)) if _is_day(campaign, each))
    return day if _begins(day, zone) > campaign.auto_issue_since else None


def next_run_day(campaign: Campaign, now: datetime) -> date:
    """The first day after now on which it issues, of a campaign that does."""
    today = now.astimezone(campaign.organization.zone).date()
    if campaign.auto_issue_when == AutoIssueWhen.AT_ONCE:
        return today
    return next(each for each in (today + timedelta(days=ahead) for ahead in range(1, 63)) if _is_day(campaign, each))


def _is_day(campaign: Campaign, day: date) -> bool:
    if campaign.auto_issue_when == AutoIssueWhen.DAY_15:
        return day.day == 15
    if campaign.auto_issue_when == AutoIssueWhen.LAST_DAY:
        return (day + timedelta(days=1)).day == 1
    return True


def _begins(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


def _run(organization: Organization, campaign_id: UUID) -> int:
    with tenant(organization):
        # Locked, so that a change of the settings is before or after the run, and two sweeps take turns.
        campaign = (
            Campaign.objects.select_for_update(no_key=True, of=("self",))
            .select_related("organization")
            .get(pk=campaign_id)
        )
        day = run_day(campaign, clock.now(organization))
        if day is None or campaign.fulfilment_kind != FulfilmentKind.METHOD:
            return 0
        run, made = AutomaticRun.objects.get_or_create(
            campaign=campaign, run_on=day, defaults={"organization": organization, "created_at": clock.wall()}
        )
        if not made and campaign.auto_issue_when != AutoIssueWhen.AT_ONCE:
            return 0
        chosen = _held(_chosen(campaign, spent=run.amount)[0])
        if not chosen:
            return 0
        by_method: dict[str, list[Reward]] = defaultdict(list)
        for reward in chosen:
            by_method[reward.fulfilment_method].append(reward)
        for method, rewards in sorted(by_method.items()):
            fixed = campaign.fulfilment_connection_id if method == campaign.fulfilment_method else None
            batch_create(
                organization=organization,
                method=method,
                selection=Selection(reward_ids=[reward.pk for reward in rewards]),
                connection_id=fixed,
                actor=ACTOR,
                note=f"Automatically, for {day:%d %B %Y}",
                # The next sweep leaves out what is claimed.
                at_once=True,
            )
        run.amount += sum(reward.amount for reward in chosen)
        run.number += len(chosen)
        run.save(update_fields=["amount", "number"])
        return len(chosen)


def _held(chosen: Sequence[Reward]) -> list[Reward]:
    """Those that are not worth more than when the limit was held against them, locked so that they stay so.

    What rose in between (a dispute that was won) waits for the next run.
    """
    rows = Reward.objects.select_for_update(no_key=True).filter(pk__in=[reward.pk for reward in chosen]).order_by("pk")
    amounts = dict(rows.values_list("pk", "amount"))
    held = [reward for reward in chosen if amounts[reward.pk] <= reward.amount]
    for reward in held:
        reward.amount = amounts[reward.pk]
    return held


def _chosen(campaign: Campaign, *, spent: int = 0) -> tuple[list[Reward], int]:
    """What a run takes, the oldest first, and how many rewards are left out by the limit.

    A participant's rewards count together towards the minimum. The first that is over the limit, and all after it, wait
    for the next run.
    """
    claims = Claim.objects.filter(reward=OuterRef("pk"), closed_at__isnull=True)
    due = list(
        Reward.objects.filter(
            ~Exists(claims),
            campaign=campaign,
            status=RewardStatus.PENDING,
            fulfilment_kind=FulfilmentKind.METHOD,
            waiting_for__isnull=True,
        )
        .exclude(fulfilment_method=MANUAL)
        .only("id", "organization", "campaign", "participant", "currency", "amount", "fulfilment_method", "due_at")
        .order_by("due_at", "pk")
    )
    totals: dict[tuple[UUID, str], int] = defaultdict(int)
    for reward in due:
        totals[reward.participant_id, reward.currency] += reward.amount
    enough = [each for each in due if totals[each.participant_id, each.currency] >= campaign.auto_issue_minimum]
    limit, taken = campaign.auto_issue_limit_per_run, spent
    chosen: list[Reward] = []
    for reward in enough[:MOST]:
        if limit is not None and taken + reward.amount > limit:
            break
        taken += reward.amount
        chosen.append(reward)
    return chosen, len(enough) - len(chosen)


# The same as `_chosen` chooses, counted for several campaigns at once: `fits` is what the limit lets through.
_AHEAD = """
WITH wanted AS (
    SELECT * FROM unnest(%(campaigns)s::uuid[], %(minimums)s::bigint[], %(limits)s::bigint[])
        AS wanted(campaign_id, minimum, most)
), due AS (
    SELECT reward.id, reward.campaign_id, reward.fulfilment_method, reward.amount, reward.due_at,
           sum(reward.amount) OVER (PARTITION BY reward.campaign_id, reward.participant_id, reward.currency) AS whole
    FROM rewards_reward AS reward
    WHERE reward.campaign_id = ANY(%(campaigns)s::uuid[]) AND reward.status = 'PENDING'
        AND reward.fulfilment_kind = 'METHOD' AND reward.fulfilment_method <> %(manual)s AND reward.waiting_for IS NULL
        AND NOT EXISTS (SELECT FROM rewards_claim WHERE reward_id = reward.id AND closed_at IS NULL)
), enough AS (
    SELECT due.campaign_id, due.fulfilment_method, due.amount,
           (wanted.most IS NULL OR sum(due.amount) OVER oldest <= wanted.most)
               AND row_number() OVER oldest <= %(most)s AS fits
    FROM due JOIN wanted USING (campaign_id)
    WHERE due.whole >= wanted.minimum
    WINDOW oldest AS (PARTITION BY due.campaign_id ORDER BY due.due_at, due.id)
)
SELECT campaign_id, fulfilment_method, count(*) FILTER (WHERE fits), coalesce(sum(amount) FILTER (WHERE fits), 0),
       count(*) FILTER (WHERE NOT fits)
FROM enough GROUP BY campaign_id, fulfilment_method ORDER BY campaign_id, fulfilment_method
"""


def ahead(campaign: Campaign) -> Ahead | None:
    """What the next run would issue as things stand; None where none is to come. Inside `tenant()`; one query."""
    return ahead_of([campaign]).get(campaign.pk)


def ahead_of(campaigns: Iterable[Campaign]) -> dict[UUID, Ahead]:
    """The same of those among the campaigns that issue by themselves. Inside `tenant()`; one query."""
    wanted = [
        each
        for each in campaigns
        if each.auto_issue_when != AutoIssueWhen.OFF and each.fulfilment_kind == FulfilmentKind.METHOD
    ]
    if not wanted:
        return {}
    by_method: dict[UUID, list[tuple[str, int, int]]] = defaultdict(list)
    over: dict[UUID, int] = defaultdict(int)
    with connection.cursor() as cursor:
        cursor.execute(
            _AHEAD,
            {
                "campaigns": [each.pk for each in wanted],
                "minimums": [each.auto_issue_minimum for each in wanted],
                "limits": [each.auto_issue_limit_per_run for each in wanted],
                "manual": MANUAL,
                "most": MOST,
            },
        )
        for campaign_id, method, number, amount, left in cursor.fetchall():
            over[campaign_id] += left
            if number:
                by_method[campaign_id].append((method, number, int(amount)))
    return {each.pk: _ahead(each, by_method[each.pk], over[each.pk]) for each in wanted}


def _ahead(campaign: Campaign, by_method: Sequence[tuple[str, int, int]], over_limit: int) -> Ahead:
    above = campaign.auto_issue_approve_above
    return Ahead(
        on=next_run_day(campaign, clock.now(campaign.organization)),
        at_once=campaign.auto_issue_when == AutoIssueWhen.AT_ONCE,
        by_method=by_method,
        over_limit=over_limit,
        needs_approval=above is not None and any(amount > above for _, _, amount in by_method),
        paused=campaign.auto_issue_paused_at is not None,
    )
