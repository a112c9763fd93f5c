"""Campaigns, rules and people in memory, for tests of the pure rules."""

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from campaigns.models import Campaign, RewardRule
from campaigns.terms import RuleTerms, complete_rules
from referral_rocket.kit.ids import uuid7
from rewards.rules import Occurrence, Person, Standing, Verdict, decide

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SHARER, FRIEND = uuid7(), uuid7()


def a_campaign(**fields: Any) -> Campaign:
    return Campaign(**{"name": "Friends", "currency": "USD", **fields})


def a_rule(**fields: Any) -> RewardRule:
    """A rule as a campaign would have it: completed and checked. $12.00 for the referrer unless fields say otherwise."""
    wanted: dict[str, Any] = {"type": "REFERRAL", **fields}
    if wanted["type"] == "REFERRAL":
        wanted.setdefault("beneficiary", "REFERRER")
    if not {"amount", "rate", "tiers"} & wanted.keys():
        wanted["amount"] = 1200
    if isinstance(wanted.get("rate"), str):
        wanted["rate"] = Decimal(wanted["rate"])
    (terms,) = complete_rules([RuleTerms(**wanted)])
    values = {name: getattr(terms, name) for name in terms.__dataclass_fields__ if name != "rule_id"}
    return RewardRule(rule_id=uuid7(), **values)


def a_person(**fields: Any) -> Person:
    """Somebody whom SHARER referred a day ago."""
    return Person(
        **{
            "participant_id": FRIEND,
            "referrer_id": SHARER,
            "attributed_at": AT - timedelta(days=1),
            **fields,
        }
    )


def a_purchase(amount: int | None = 12000, **fields: Any) -> Occurrence:
    currency = None if amount is None else "USD"
    return Occurrence(**{"type": "purchase", "occurred_at": AT, "amount": amount, "currency": currency, **fields})


def judge(
    *rules: RewardRule,
    campaign: Campaign | None = None,
    person: Person | None = None,
    occurrence: Occurrence | None = None,
    standing: Standing | None = None,
    zone: tzinfo = UTC,
) -> list[Verdict]:
    """The verdicts of the rules, in their order."""
    verdicts = decide(
        campaign=campaign or a_campaign(),
        rules=rules,
        person=person or a_person(),
        occurrence=occurrence or a_purchase(),
        standing=standing if standing is not None else Standing(),
        zone=zone,
    )
    assert [rule for rule, _ in verdicts] == list(rules)
    return [verdict for _, verdict in verdicts]


def codes(verdicts: list[Verdict]) -> list[str]:
    return [verdict.code for verdict in verdicts]


def purchases(rule: RewardRule, amounts: list[int], person: Person | None = None, **campaign: Any) -> list[Verdict]:
    """One person's purchases one after the other."""
    standing = Standing()
    return [
        judge(
            rule,
            campaign=a_campaign(**campaign),
            person=person,
            occurrence=a_purchase(amount, occurred_at=AT + timedelta(minutes=number)),
            standing=standing,
        )[0]
        for number, amount in enumerate(amounts)
    ]


def referred_by_sharer(number: int) -> Person:
    return a_person(participant_id=UUID(int=number + 1))
