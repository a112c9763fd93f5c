"""Campaigns and their rules: checked when they are put in, versioned when they change."""

from dataclasses import replace
from decimal import Decimal

import pytest

from campaigns.errors import CampaignConflict, InvalidCampaign
from campaigns.models import Campaign, CampaignStatusChange, RewardRule
from campaigns.selectors import campaigns, current_rules
from campaigns.services import campaign_create, campaign_duplicate, campaign_update, rule_terms_of, terms_of
from campaigns.terms import CampaignTerms, RuleTerms, complete_rules, in_words
from referral_rocket.accounts.scoping import tenant
from tests import factories

pytestmark = pytest.mark.django_db

REFERRER = RuleTerms(type="REFERRAL", beneficiary="REFERRER", amount=1200)


def create(organization, rules=(REFERRER,), **terms):
    with tenant(organization):
        return campaign_create(
            organization=organization,
            terms=CampaignTerms(**{"name": "Friends", "currency": "USD", **terms}),
            rules=list(rules),
            actor=factories.ACTOR,
        )


def update(campaign, **change):
    with tenant(campaign.organization):
        return campaign_update(organization=campaign.organization, campaign=campaign, actor=factories.ACTOR, **change)


def rules_of(campaign):
    with tenant(campaign.organization):
        return list(current_rules(Campaign.objects.get(pk=campaign.pk)))


def test_it_works(organization):
    campaign = create(organization, [REFERRER, replace(REFERRER, beneficiary="REFERRED", amount=300)])

    assert (campaign.status, campaign.attribution_window_days, campaign.holding_days) == ("DRAFT", 60, 0)
    assert [(rule.beneficiary, rule.amount, rule.once_per, rule.version) for rule in rules_of(campaign)] == [
        ("REFERRER", 1200, "REFERRED", 1),
        ("REFERRED", 300, "REFERRED", 1),
    ]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"name": "  "}, "name"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"qualifying_event": ""}, "qualifying_event"),
        ({"budget": 0}, "budget"),
        ({"budget": 10**15 + 1}, "budget"),
        ({"review_above": -1}, "review_above"),
        ({"attribution_window_days": -1}, "attribution_window_days"),
        ({"holding_days": 3651}, "holding_days"),
        ({"fulfilment_method": "CARRIER_PIGEON"}, "fulfilment.method"),
    ],
)
def test_terms_that_can_not_be(organization, terms, field):
    with pytest.raises(InvalidCampaign) as caught:
        create(organization, **terms)

    assert [name for name, _, _ in caught.value.errors] == [field]
    with tenant(organization):
        assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "GIFT"}, "type"),
        ({"beneficiary": None}, "beneficiary"),
        ({"beneficiary": "BUYER"}, "beneficiary"),
        ({"type": "TRANSACTIONAL", "beneficiary": "REFERRER"}, "beneficiary"),
        ({"type": "OFFER", "beneficiary": "BUYER", "every_n_referrals": 2}, "beneficiary"),
        ({"amount": None}, "amount"),
        ({"rate": Decimal("0.1")}, "rate"),
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 10**15 + 1}, "amount"),
        ({"amount": None, "rate": Decimal("0")}, "rate"),
        ({"amount": None, "rate": Decimal("-0.1")}, "rate"),
        ({"amount": None, "rate": Decimal("10.1")}, "rate"),
        ({"amount": None, "rate": Decimal("NaN")}, "rate"),
        ({"amount": None, "rate": Decimal("Infinity")}, "rate"),
        ({"amount": None, "rate": Decimal("0.000000001")}, "rate"),
        ({"amount": None, "tiers": []}, "tiers"),
        ({"amount": None, "tiers": [{"from_referrals": 0, "amount": 1}]}, "tiers.0.from_referrals"),
        ({"amount": None, "tiers": [{"from_referrals": True, "amount": 1}]}, "tiers.0.from_referrals"),
        ({"amount": None, "tiers": [{"from_referrals": 1}]}, "tiers.0"),
        ({"amount": None, "tiers": [{"from_referrals": 1, "amount": 1, "rate": "0.1"}]}, "tiers.0"),
        ({"amount": None, "tiers": [{"from_referrals": 1, "rate": 0.1}]}, "tiers.0.rate"),
        ({"amount": None, "tiers": [{"from_referrals": 1, "rate": "ten"}]}, "tiers.0.rate"),
        ({"amount": None, "tiers": [{"from_referrals": 1, "amount": 1}] * 2}, "tiers"),
        ({"min_purchase": -1}, "min_purchase"),
        ({"min_purchase_count": 0}, "min_purchase_count"),
        ({"every_n_referrals": 0, "type": "OFFER"}, "every_n_referrals"),
        ({"max_per_reward": 0}, "max_per_reward"),
        ({"max_rewards_per_participant": 0}, "max_rewards_per_participant"),
        ({"max_amount_per_month": 0}, "max_amount_per_period"),
        ({"commission_months": 0}, "commission_months"),
        ({"once_per": "DAY"}, "once_per"),
        ({"when_referrer_rewarded": True}, "when_referrer_rewarded"),
        ({"conditions": {"all": []}}, "conditions"),
    ],
)
def test_a_rule_that_can_not_be(organization, change, field):
    with pytest.raises(InvalidCampaign) as caught:
        create(organization, [REFERRER, replace(REFERRER, **change)])

    assert [name for name, _, _ in caught.value.errors] == [f"rules.1.{field}"]
    with tenant(organization):
        assert not RewardRule.objects.exists()


def test_a_campaign_needs_a_rule(organization):
    with pytest.raises(InvalidCampaign):
        create(organization, [])


@pytest.mark.parametrize(
    ("terms", "beneficiary", "once_per"),
    [
        ({"type": "TRANSACTIONAL", "beneficiary": None}, "BUYER", "REFERRED"),
        ({"type": "TRANSACTIONAL", "beneficiary": None, "amount": None, "rate": Decimal("0.1")}, "BUYER", "EVENT"),
        ({"type": "OFFER", "beneficiary": None}, "BUYER", "REFERRED"),
        ({"type": "OFFER", "beneficiary": None, "every_n_referrals": 3}, "REFERRER", "REFERRED"),
        ({"once_per": "EVENT"}, "REFERRER", "EVENT"),
    ],
)
def test_what_is_implied(terms, beneficiary, once_per):
    (rule,) = complete_rules([replace(REFERRER, **terms)])

    assert (rule.beneficiary, rule.once_per) == (beneficiary, once_per)


def test_changing_rules_keeps_what_is_the_same_and_versions_what_is_not(organization):
    campaign = create(organization, [REFERRER, replace(REFERRER, beneficiary="REFERRED", amount=300), REFERRER])
    kept, changed, gone = (rule_terms_of(rule) for rule in rules_of(campaign))

    update(campaign, rules=[replace(changed, amount=400), kept, replace(REFERRER, amount=99)])

    now = rules_of(campaign)
    assert [(rule.rule_id, rule.version, rule.amount) for rule in now[:2]] == [
        (changed.rule_id, 2, 400),
        (kept.rule_id, 1, 1200),
    ]
    assert now[2].rule_id not in {kept.rule_id, changed.rule_id, gone.rule_id}
    with tenant(organization):
        ended = RewardRule.objects.filter(valid_until__isnull=False)
        assert set(ended.values_list("rule_id", "version")) == {(changed.rule_id, 1), (gone.rule_id, 1)}


@pytest.mark.parametrize("twice", [False, True])
def test_a_rule_id_of_nobody_or_twice(organization, twice):
    campaign, other = create(organization), create(organization)
    before = [rule.pk for rule in rules_of(campaign)]
    own, foreign = (rule_terms_of(rules_of(each)[0]) for each in (campaign, other))

    with pytest.raises(InvalidCampaign):
        update(campaign, rules=[own, own] if twice else [foreign])

    assert [rule.pk for rule in rules_of(campaign)] == before


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        (["ACTIVE", "PAUSED", "ACTIVE", "ENDED"], "ACTIVE"),
        (["ACTIVE"], "DRAFT"),
        ([], "PAUSED"),
        (["ENDED"], "DRAFT"),
        (["ACTIVE", "PAUSED"], "DRAFT"),
    ],
)
def test_what_a_status_may_become(organization, path, refused):
    campaign = create(organization)
    for status in path:
        campaign = update(campaign, status=status)

    with pytest.raises(CampaignConflict) as caught:
        update(campaign, status=refused)

    assert caught.value.code == "invalid_transition"
    with tenant(organization):
        assert Campaign.objects.get().status == (path or ["DRAFT"])[-1]
        assert list(CampaignStatusChange.objects.order_by("at", "id").values_list("status", flat=True)) == [
            "DRAFT",
            *path,
        ]


def test_the_currency_is_fixed_by_the_first_event(organization):
    campaign = create(organization)
    with tenant(organization):
        euros = replace(terms_of(campaign), currency="EUR")

    with pytest.raises(CampaignConflict) as caught:
        update(campaign, terms=euros, has_event=True)
    assert caught.value.code == "currency_fixed"
    with tenant(organization):
        assert Campaign.objects.get().currency == "USD"

    assert update(campaign, terms=euros, has_event=False).currency == "EUR"


def test_a_copy_is_a_draft_with_rules_of_its_own(organization):
    campaign = factories.campaign(organization, budget=5000, holding_days=3)

    with tenant(organization):
        copy = campaign_duplicate(organization=organization, campaign=campaign, actor=factories.ACTOR)

    assert (copy.status, copy.name, copy.budget, copy.holding_days) == ("DRAFT", f"{campaign.name} (copy)", 5000, 3)
    (rule,), (original,) = rules_of(copy), rules_of(campaign)
    assert (rule.amount, rule.version) == (original.amount, 1)
    assert rule.rule_id != original.rule_id


def test_any_number_of_campaigns_takes_two_queries(organization, django_assert_num_queries):
    for _ in range(5):
        factories.campaign(organization)

    with tenant(organization), django_assert_num_queries(2):
        assert [len(campaign.current_rules) for campaign in campaigns()] == [1] * 5


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, "The referrer earns $12.00 for the first qualifying event of each referred person."),
        (
            {"amount": None, "rate": Decimal("0.1"), "min_purchase": 5000, "max_per_reward": 2000},
            "The referrer earns 10 % of each qualifying purchase of at least $50.00, at most $20.00 each.",
        ),
        (
            {"min_purchase_count": 3, "max_rewards_per_participant": 1},
            "The referrer earns $12.00 for the 3rd event, once.",
        ),
        (
            {"type": "OFFER", "every_n_referrals": 5},
            "The referrer earns $12.00 for every 5 referrals.",
        ),
        (
            {"beneficiary": "REFERRED", "when_referrer_rewarded": True},
            "The referred person earns $12.00 for the first qualifying event, when the referrer is rewarded too.",
        ),
    ],
)
def test_a_rule_in_words(terms, words):
    (rule,) = complete_rules([replace(REFERRER, **terms)])

    assert in_words(rule, "USD") == words
