"""A dry run of the present rules over a campaign's whole life gives exactly what was given, whatever happened in it."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import Beneficiary, Campaign
from campaigns.selectors import current_rules
from campaigns.terms import RuleTerms
from participants.models import Participant, Source
from participants.reversals import ReversalReport
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.dry_run import dry_run
from rewards.errors import InvalidReward, RewardsError
from rewards.models import Reward
from rewards.services.confirming import reward_approve, reward_cancel, reward_give, reward_reject
from rewards.services.earning import events_record
from rewards.services.reversing import transaction_reverse
from rewards.services.undoing import event_undo
from rewards.states import RewardStatus
from tests import factories

pytestmark = pytest.mark.django_db

counts = st.none() | st.integers(1, 3)
sums = st.none() | st.integers(1, 4000)
how_much = st.one_of(
    st.builds(lambda amount: {"amount": amount}, st.integers(1, 3000)),
    st.builds(lambda rate: {"rate": rate}, st.decimals("0.01", "1.5", places=3)),
    st.just({"tiers": [{"from_referrals": 1, "rate": "0.07"}, {"from_referrals": 3, "amount": 900}]}),
)
limits = st.fixed_dictionaries(
    {
        "min_purchase": st.sampled_from([0, 0, 1000, 2500]),
        "min_purchase_count": st.sampled_from([1, 1, 2, 3]),
        "min_total_spent": sums,
        "once_per": st.sampled_from(["REFERRED", "EVENT"]),
        "max_per_reward": sums,
        "max_rewards_per_participant": counts,
        "max_amount_per_month": sums,
        "conditions": st.sampled_from(
            [
                None,
                None,
                {
                    "any": [
                        {"field": "country", "op": "eq", "value": "DE"},
                        {"field": "amount", "op": "gte", "value": 1500},
                    ]
                },
            ]
        ),
    }
)
referrals = st.builds(
    lambda way, beneficiary, months, more: RuleTerms(
        type="REFERRAL", beneficiary=beneficiary, commission_months=months, **way, **more
    ),
    how_much,
    st.sampled_from(["REFERRER", "REFERRED"]),
    st.none() | st.integers(1, 2),
    limits,
)
with_referrer = st.builds(
    lambda amount: RuleTerms(
        type="REFERRAL", beneficiary=Beneficiary.REFERRED, amount=amount, when_referrer_rewarded=True, once_per="EVENT"
    ),
    st.integers(1, 900),
)
purchases = st.builds(lambda way, more: RuleTerms(type="TRANSACTIONAL", **way, **more), how_much, limits)
milestones = st.builds(
    lambda n, amount: RuleTerms(type="OFFER", every_n_referrals=n, amount=amount),
    st.integers(1, 3),
    st.integers(1, 900),
)
rules = st.lists(st.one_of(referrals, referrals, with_referrer, purchases, milestones), min_size=1, max_size=4)

# (what, person or place, amount, days ago, detail); what each means is in `happen`.
happenings = st.lists(
    st.tuples(
        st.sampled_from(
            ["buy"] * 8 + ["many", "other", "signup", "refund", "refund", "gift", "cancel", "review", "undo"]
        ),
        st.integers(0, 5),
        st.sampled_from([0, 1, 800, 1000, 1500, 2500, 4000]),
        st.integers(0, 150),
        st.integers(0, 3),
    ),
    min_size=8,
    max_size=25,
)


class Life:
    """A campaign in which things happen, through the product's own services."""

    def __init__(self, organization: Organization, wanted: Sequence[RuleTerms], **terms: Any) -> None:
        self.organization = organization
        self.start = clock.wall() - timedelta(days=300)
        self.campaign: Campaign = factories.campaign(organization, rules=wanted, created_at=self.start, **terms)
        joined = clock.wall() - timedelta(days=160)
        sharers = [factories.participant(self.campaign, joined_at=joined) for _ in range(2)]
        middle = [factories.participant(self.campaign, referred_by=sharers[0], joined_at=joined)]
        more = [
            factories.participant(self.campaign, referred_by=each, joined_at=joined) for each in (*sharers, *middle)
        ]
        self.people = [*sharers, *middle, *more]
        self.reports: list[Any] = []
        self.by_hand: list[Any] = []

    def report(self, person: Participant, amount: int, days: int, **more: Any) -> Any:
        made = factories.report(
            person,
            amount,
            occurred_at=clock.wall() - timedelta(days=days),
            country="DE" if days % 2 else None,
            discount=days % 3,
            **more,
        )
        self.reports.append(made)
        return made

    def happen(self, what: str, place: int, amount: int, days: int, detail: int) -> None:
        person = self.people[place]
        with tenant(self.organization):
            if what == "buy":
                source = Source.HAND if detail == 3 else Source.API
                self.record([self.report(person, amount, days, source=source)])
            elif what == "many":
                self.record([self.report(each, amount, days) for each in self.people[place:]])
            elif what == "other":
                self.record([self.report(person, amount, days, currency="EUR")])
            elif what == "signup":
                self.record([factories.report(person, None, type="signup")])
            elif what == "gift":
                self.give(person, amount)
            elif what == "refund" and self.reports:
                self.refund(self.reports[place % len(self.reports)], amount, detail)
            elif what == "undo" and self.by_hand:
                event_undo(organization=self.organization, event=self.by_hand.pop(), actor="user:me")
            elif what in ("cancel", "review"):
                self.decide(what, detail)

    def record(self, reports: Sequence[Any]) -> None:
        for result in events_record(organization=self.organization, reports=reports, actor="user:me"):
            if not isinstance(result, RewardsError) and result.event.source == Source.HAND:
                self.by_hand.append(result.event)

    def give(self, person: Participant, amount: int) -> None:
        try:
            reward_give(
                organization=self.organization, participant=person, amount=amount + 1, reason="Gift", actor="user:me"
            )
        except InvalidReward:
            return

    def refund(self, report: Any, amount: int, detail: int) -> None:
        kind, status = ("DISPUTE", "WON" if detail == 2 else "OPEN") if detail % 2 == 0 else ("REFUND", "DONE")
        transaction_reverse(
            organization=self.organization,
            campaign_id=self.campaign.pk,
            transaction_id=report.transaction_id,
            report=ReversalReport(f"r{detail}", kind=kind, status=status, amount=amount or None),
            actor="user:me",
        )

    def decide(self, what: str, detail: int) -> None:
        """A person cancels what is due, or decides about what waits for review."""
        wanted = RewardStatus.PENDING if what == "cancel" else RewardStatus.EARNED
        reward = Reward.objects.filter(campaign=self.campaign, status=wanted).order_by("pk").first()
        if reward is None:
            return
        if what == "cancel":
            reward_cancel(organization=self.organization, reward=reward, actor="user:me", reason="No")
        elif detail:
            reward_reject(organization=self.organization, reward=reward, actor="user:me", reason="No")
        else:
            reward_approve(organization=self.organization, reward=reward, actor="user:me")


# More by hand: DRY_RUNS=500.
@settings(max_examples=int(os.environ.get("DRY_RUNS", "12")), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rules,
    happenings,
    st.sampled_from([None, None, 3000, 9000]),
    st.sampled_from([None, 2000]),
    st.sampled_from([60, 120, 365]),
)
def test_it_works(
    organization: Organization,
    wanted: list[RuleTerms],
    what_happens: list[tuple[str, int, int, int, int]],
    budget: int | None,
    review_above: int | None,
    window: int,
) -> None:
    life = Life(organization, wanted, budget=budget, review_above=review_above, attribution_window_days=window)
    for each in what_happens:
        life.happen(*each)

    with tenant(organization):
        found = dry_run(
            organization=organization,
            campaign=life.campaign,
            rules=current_rules(life.campaign),
            since=life.start,
        )

    assert [(rule.compared.given, rule.compared.would) for rule in found.rules if rule.compared.difference] == []
    assert found.total.given == found.total.would
    assert (found.differing_events, found.differing_participants) == (0, 0)
    assert all(rule.rule is not None for rule in found.rules)
