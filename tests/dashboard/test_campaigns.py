"""Campaigns: the list, the editor that loses nothing, what a campaign's page shows, and what is done with one press."""

import re
from decimal import Decimal
from typing import Any

import pytest

from campaigns.models import Campaign, CampaignStatus, RewardRule
from campaigns.selectors import current_rules
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.dashboard.campaigns.pages import TABS
from tests import factories
from tests.dashboard.visitor import Visitor, member, stranger, text

pytestmark = pytest.mark.django_db

TERMS = {
    "name": "Friends",
    "currency": "USD",
    "qualifying_event": "purchase",
    "earning_timing": "IMMEDIATE",
    "attribution_window_days": "60",
    "holding_days": "7",
    "fulfilment": "MANUAL",
    "base_discounts": "on",
    "review_above": "",
    "budget": "1000.00",
}
REFERRER = {"rules-0-type": "REFERRAL", "rules-0-beneficiary": "REFERRER", "rules-0-how": "amount"}


@pytest.fixture
def organization() -> Organization:
    return factories.organization()


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


def campaigns(organization: Organization) -> list[Campaign]:
    with tenant(organization):
        return list(Campaign.objects.order_by("pk"))


def rules(campaign: Campaign) -> list[RewardRule]:
    with tenant(campaign.organization):
        return list(current_rules(campaign))


def sent_again(page: Any) -> dict[str, str]:
    """What the form of a page would send, as it stands."""
    fields: dict[str, str] = {}
    for form in (page.context["form"], *page.context["rules"]):
        for bound in form:
            value = bound.value()
            if value is not None and value is not False and value != "":
                fields[bound.html_name] = "on" if value is True else str(value)
    return fields


def test_it_works(organization: Organization, marketer: Visitor) -> None:
    sent = {**TERMS, **REFERRER, "rules-0-amount": "12.00", "rules-0-min_purchase": "50", "do": "activate"}
    answer = marketer.post("campaign_new", **sent)
    (campaign,) = campaigns(organization)
    assert answer.url == marketer.url("campaign", campaign.pk)
    assert (campaign.name, campaign.status, campaign.budget) == ("Friends", CampaignStatus.ACTIVE, 100_000)
    assert campaign.holding_days == 7
    (rule,) = rules(campaign)
    assert (rule.amount, rule.rate, rule.min_purchase) == (1200, None, 5000)
    page = text(marketer.get("campaign", campaign.pk))
    assert "The referrer earns $12.00" in page


def test_every_field_of_a_rule(organization: Organization, marketer: Visitor) -> None:
    sent = {
        **TERMS,
        "rules-0-type": "TRANSACTIONAL",
        "rules-0-how": "rate",
        "rules-0-rate": "2.5 %",
        "rules-0-once_per": "EVENT",
        "rules-0-min_purchase": "10",
        "rules-0-min_purchase_count": "3",
        "rules-0-min_total_spent": "100",
        "rules-0-max_per_reward": "20",
        "rules-0-max_rewards_per_participant": "5",
        "rules-0-max_amount_per_month": "50",
        "rules-0-commission_months": "6",
        "rules-0-joint": "any",
        "rules-0-conditions": "country is one of DE, AT\namount is at least 50.00",
        "rules-1-type": "OFFER",
        "rules-1-beneficiary": "REFERRER",
        "rules-1-how": "tiers",
        "rules-1-tiers": "1: 10.00\n5: 8 %",
        "rules-1-every_n_referrals": "2",
        "do": "draft",
    }
    assert marketer.post("campaign_new", **sent).status_code == 302
    (campaign,) = campaigns(organization)
    assert campaign.status == CampaignStatus.DRAFT
    first, second = rules(campaign)
    assert (first.beneficiary, first.rate, first.min_purchase_count) == ("BUYER", Decimal("0.025"), 3)
    assert (first.min_purchase, first.min_total_spent, first.max_per_reward) == (1000, 10_000, 2000)
    assert (first.max_rewards_per_participant, first.max_amount_per_month, first.commission_months) == (5, 5000, 6)
    assert first.conditions == {
        "any": [
            {"field": "country", "op": "in", "value": ["DE", "AT"]},
            {"field": "amount", "op": "gte", "value": 5000},
        ]
    }
    assert second.tiers == [{"from_referrals": 1, "amount": 1000}, {"from_referrals": 5, "rate": "0.08"}]
    assert second.every_n_referrals == 2


def test_saving_leads_back_to_the_tab(campaign: Campaign, marketer: Visitor) -> None:
    tab = text(marketer.get("campaign", campaign.pk, tab="fulfilment"))
    edit = marketer.url("campaign_edit", campaign.pk)
    assert f'href="{edit}?tab=fulfilment"' in tab
    sent = {**sent_again(marketer.get("campaign_edit", campaign.pk)), "do": "save"}
    for asked, shown in (("fulfilment", "fulfilment"), ("settings", "settings"), ("elsewhere", "rules")):
        answer = marketer.client.post(f"{edit}?tab={asked}", sent)
        assert answer["Location"] == f"{marketer.url('campaign', campaign.pk)}?tab={shown}"


def test_saving_unchanged_changes_nothing(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(
        organization,
        budget=100_000,
        rules=[
            factories.referral_rule(amount=1200, min_purchase=5000),
            factories.referral_rule(rate="0.05", max_per_reward=2000, conditions={"all": [
                {"field": "amount", "op": "gte", "value": 5000}, {"field": "metadata.plan", "op": "ne", "value": "free"},
            ]}),
            factories.referral_rule(tiers=[{"from_referrals": 1, "amount": 1000}, {"from_referrals": 3, "rate": "0.1"}]),
        ],
    )  # fmt: skip
    before = [(rule.pk, rule.version) for rule in rules(campaign)]
    page = marketer.get("campaign_edit", campaign.pk)
    answer = marketer.post("campaign_edit", campaign.pk, **sent_again(page), do="save")
    assert answer.status_code == 302, answer.context["problems"]
    assert [(rule.pk, rule.version) for rule in rules(campaign)] == before
    with tenant(organization):
        assert Campaign.objects.get().budget == 100_000


def test_changed_rule_gets_a_new_version(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization)
    (before,) = rules(campaign)
    sent = sent_again(marketer.get("campaign_edit", campaign.pk))
    marketer.post("campaign_edit", campaign.pk, **{**sent, "rules-0-amount": "15", "name": "New name"}, do="save")
    (after,) = rules(campaign)
    assert (after.rule_id, after.version, after.amount) == (before.rule_id, 2, 1500)
    assert campaigns(organization)[0].name == "New name"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "This field is required."),
        ({"currency": "XXX"}, "Select a valid choice"),
        ({"budget": "12.345"}, "USD has 2 decimals; enter no more."),
        ({"budget": "-5"}, "Enter an amount above 0."),
        ({"holding_days": "99999"}, "less than or equal to 3650"),
        ({"landing_url": "nonsense"}, "Enter a valid URL."),
        ({"rules-0-amount": ""}, "Enter an amount."),
        ({"rules-0-amount": "1e30"}, "This amount is too large."),
        ({"rules-0-how": "rate"}, "This is needed for the choice above."),
        ({"rules-0-how": "rate", "rules-0-rate": "much"}, "Enter a percentage such as 5 or 2.5."),
        ({"rules-0-how": "rate", "rules-0-rate": "-5"}, ""),
        ({"rules-0-how": "tiers", "rules-0-tiers": "many"}, "is no tier."),
        ({"rules-0-conditions": "the moon is full"}, "is no condition."),
        ({"rules-0-conditions": "moon is full"}, "Field is one of amount"),
        ({"rules-0-conditions": "{nonsense"}, "well-formed JSON"),
        ({"rules-0-beneficiary": "BUYER"}, "This rule can reward the referrer or the referred."),
        ({"rules-0-min_purchase_count": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    organization: Organization, marketer: Visitor, wrong: dict[str, str], message: str
) -> None:
    sent = {**TERMS, **REFERRER, "rules-0-amount": "12.00", "qualifying_event": "kept as typed", **wrong}
    answer = marketer.post("campaign_new", **sent, do="activate")
    assert answer.status_code == 422
    assert message in text(answer)
    assert "Nothing was saved yet" in text(answer)
    assert 'value="kept as typed"' in text(answer)
    assert campaigns(organization) == []


def test_no_rules(organization: Organization, marketer: Visitor) -> None:
    answer = marketer.post("campaign_new", **TERMS, do="activate")
    assert answer.status_code == 422
    assert "A campaign needs at least one rule." in text(answer)
    assert campaigns(organization) == []


def test_currency_is_fixed_once_there_is_an_event(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization)
    factories.due_rewards(campaign, 1)
    sent = sent_again(marketer.get("campaign_edit", campaign.pk))
    answer = marketer.post("campaign_edit", campaign.pk, **{**sent, "currency": "EUR"}, do="save")
    assert answer.status_code == 409
    assert "its currency can't change any more" in text(answer).replace("&#x27;", "'")
    assert campaigns(organization)[0].currency == "USD"


def test_rules_are_added_and_removed_without_losing_what_is_typed(
    organization: Organization, marketer: Visitor
) -> None:
    sent = {**TERMS, **REFERRER, "rules-0-amount": "no number yet", "name": "Typed"}
    added = marketer.post("campaign_new", **sent, do="add_rule")
    assert added.status_code == 200
    assert [form.prefix for form in added.context["rules"]] == ["rules-0", "rules-1"]
    assert 'value="no number yet"' in text(added)
    assert 'value="Typed"' in text(added)
    assert "field-error" not in text(added)
    removed = marketer.post("campaign_new", **sent_again(added), do="remove_rule_0")
    assert [form.prefix for form in removed.context["rules"]] == ["rules-1"]
    assert campaigns(organization) == []


def test_reading_is_live_and_a_fragment(marketer: Visitor) -> None:
    sent = {**REFERRER, "currency": "EUR", "rules-0-amount": "12", "rules-1-type": "REFERRAL", "rules-1-how": "rate"}
    answer = marketer.post("rules_reading", **sent)
    assert "The referrer earns €12.00 for the first qualifying event of each referred person." in text(answer)
    assert "Not complete yet." in text(answer)
    assert "<html" not in text(answer)


def test_a_dry_run_before_saving(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization)
    sharer = factories.participant(campaign, name="Ada")
    factories.event(factories.participant(campaign, referred_by=sharer), 20000)
    page = marketer.get("campaign_edit", campaign.pk)
    assert "Asks the rules as they are typed here about what has happened." in text(page)
    sent = {**sent_again(page), "rules-0-how": "rate", "rules-0-rate": "10", "dry_run_days": "30"}

    answer = marketer.post("campaign_edit", campaign.pk, **sent, do="dry_run")

    said = text(answer)
    assert answer.status_code == 200
    assert "1 event looked at, amounts before refunds. Nothing was changed." in said
    assert all(amount in said for amount in ("$12.00", "$20.00", "$8.00"))
    assert "Ada" in said
    with tenant(organization):
        assert RewardRule.objects.get(campaign=campaign).amount == 1200


def test_a_dry_run_of_incomplete_rules_says_so(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization)
    page = marketer.get("campaign_edit", campaign.pk)

    answer = marketer.post("campaign_edit", campaign.pk, **{**sent_again(page), "rules-0-amount": ""}, do="dry_run")

    assert "Rule 1, Amount: Enter an amount" in text(answer)


def test_pause_and_its_undo(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization)
    answer = marketer.client.post(marketer.url("campaign_status", campaign.pk, "PAUSED"), follow=True)
    undo = marketer.url("campaign_status", campaign.pk, "ACTIVE")
    assert f'action="{undo}"' in text(answer)
    assert campaigns(organization)[0].status == CampaignStatus.PAUSED
    marketer.client.post(undo)
    assert campaigns(organization)[0].status == CampaignStatus.ACTIVE


def test_ending_has_to_be_typed(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization)
    marketer.post("campaign_status", campaign.pk, "ENDED", confirmation="end")
    assert campaigns(organization)[0].status == CampaignStatus.ACTIVE
    marketer.post("campaign_status", campaign.pk, "ENDED", confirmation="END")
    assert campaigns(organization)[0].status == CampaignStatus.ENDED
    answer = marketer.client.post(marketer.url("campaign_status", campaign.pk, "ACTIVE"), follow=True)
    assert "become ACTIVE" in text(answer)
    assert campaigns(organization)[0].status == CampaignStatus.ENDED


def test_no_such_status(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization)
    for status in ("DRAFT", "GONE"):
        assert marketer.post("campaign_status", campaign.pk, status).status_code == 404


def test_duplicate(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization, name="Friends", rules=[factories.referral_rule(rate="0.1")])
    answer = marketer.post("campaign_copy", campaign.pk)
    _, copy = campaigns(organization)
    assert answer.url == marketer.url("campaign_edit", copy.pk)
    assert (copy.name, copy.status, rules(copy)[0].rate) == ("Friends (copy)", CampaignStatus.DRAFT, Decimal("0.1"))


def test_list_counts(organization: Organization, marketer: Visitor) -> None:
    assert "No campaigns yet" in text(marketer.get("campaigns"))
    campaign = factories.campaign(organization, name="Friends")
    factories.due_rewards(campaign, 2)
    page = text(marketer.get("campaigns"))
    row = re.search(r"Friends</a>.*?</tr>", page)
    assert row is not None
    assert ">4</a>" in row[0]
    assert "$24.00" in row[0]
    assert "Friends" in text(marketer.get("campaigns", q="fri", status="ACTIVE"))
    assert "Nothing matches" in text(marketer.get("campaigns", q="iends"))


@pytest.mark.parametrize("tab", TABS)
def test_tabs_for_everybody(organization: Organization, tab: str) -> None:
    campaign = factories.campaign(organization, name="Friends")
    viewer = member(organization, Role.VIEWER)
    empty = viewer.get("campaign", campaign.pk, tab=tab)
    factories.due_rewards(campaign, 2)
    full = viewer.get("campaign", campaign.pk, tab=tab)
    assert (empty.status_code, full.status_code) == (200, 200)
    assert 'aria-current="page"' in text(full)
    assert viewer.url("campaign_edit", campaign.pk) not in text(full)


@pytest.mark.parametrize("tab", ["summary", "participants", "rewards", "activity"])
def test_queries_do_not_grow(organization: Organization, marketer: Visitor, tab: str) -> None:
    campaign = factories.campaign(organization)
    factories.due_rewards(campaign, 1)
    before = marketer.queries("campaign", campaign.pk, tab=tab), marketer.queries("campaigns")
    factories.due_rewards(campaign, 5)
    factories.due_rewards(factories.campaign(organization), 1)
    assert (marketer.queries("campaign", campaign.pk, tab=tab), marketer.queries("campaigns")) == before


def test_viewer_is_refused(organization: Organization) -> None:
    campaign = factories.campaign(organization)
    viewer = member(organization, Role.VIEWER)
    assert "New campaign" not in text(viewer.get("campaigns"))
    assert viewer.get("campaign_new").status_code == 403
    assert viewer.get("campaign_edit", campaign.pk).status_code == 403
    assert viewer.post("campaign_copy", campaign.pk).status_code == 403
    assert viewer.post("rules_reading").status_code == 403
    assert viewer.post("campaign_status", campaign.pk, "PAUSED").status_code == 403
    assert [each.status for each in campaigns(organization)] == [CampaignStatus.ACTIVE]


def test_stranger_finds_nothing(organization: Organization) -> None:
    campaign = factories.campaign(organization)
    for visitor in (stranger(organization), member(factories.organization())):
        for name in ("campaign", "campaign_edit"):
            assert visitor.get(name, campaign.pk).status_code == 404
        assert visitor.post("campaign_copy", campaign.pk).status_code == 404
        assert visitor.post("campaign_status", campaign.pk, "PAUSED").status_code == 404
    assert [each.status for each in campaigns(organization)] == [CampaignStatus.ACTIVE]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"earning_timing": "STATEMENT", "statement_day": "15"}, "one total when the 15th of the month is over"),
        ({"earning_timing": "STATEMENT", "statement_day": "30"}, "is over, or the last day of a shorter month"),
        ({"earning_timing": "STATEMENT"}, "as one total when the month is over, once each was held for 7 days."),
        (
            {"earning_timing": "DELAYED", "delay_days": "3"},
            "on one day is due as one total 3 days after the last of it",
        ),
    ],
)
def test_when_rewards_are_due_is_chosen_and_read_out(
    given: dict[str, str], words: str, organization: Organization, marketer: Visitor
) -> None:
    made = {**TERMS, **REFERRER, "rules-0-amount": "12.00", **given, "do": "draft"}
    assert marketer.post("campaign_new", **made).status_code == 302
    (campaign,) = campaigns(organization)
    assert campaign.earning_timing == given["earning_timing"]
    assert words in text(marketer.get("campaign", campaign.pk))


def test_a_delay_needs_its_days(organization: Organization, marketer: Visitor) -> None:
    made = {**TERMS, **REFERRER, "rules-0-amount": "12.00", "earning_timing": "DELAYED", "do": "draft"}
    answer = marketer.post("campaign_new", **made)
    assert answer.status_code == 422
    assert "Say after how many days what was earned is due." in text(answer)
    assert campaigns(organization) == []


def test_what_coupons_take_off_is_chosen_and_read_out(organization: Organization, marketer: Visitor) -> None:
    """What belongs to a choice that isn't made is hidden, and left out."""
    made = {
        **TERMS, **REFERRER, "rules-0-amount": "12.00", "do": "draft", "coupon_kind": "PERCENT",
        "coupon_percent_off": "12.5", "coupon_duration": "repeating", "coupon_duration_months": "3",
    }  # fmt: skip
    assert marketer.post("campaign_new", **made).status_code == 302
    (campaign,) = campaigns(organization)
    shown = text(marketer.get("campaign", campaign.pk, tab="fulfilment"))
    assert "Takes 12.5 % off each invoice for 3 months." in shown

    changed = {**made, "coupon_kind": "AMOUNT", "coupon_duration": "once", "do": "save"}
    assert marketer.post("campaign_edit", campaign.pk, **changed).status_code == 302
    shown = text(marketer.get("campaign", campaign.pk, tab="fulfilment"))
    assert "amount off the next invoice or purchase." in shown


def test_a_transactional_rule_asks_nobody_who_is_rewarded(organization: Organization, marketer: Visitor) -> None:
    transactional = {**REFERRER, "rules-0-type": "TRANSACTIONAL", "rules-0-how": "rate", "rules-0-rate": "5"}
    assert marketer.post("campaign_new", **TERMS, **transactional, do="activate").status_code == 302
    (campaign,) = campaigns(organization)
    (rule,) = rules(campaign)
    assert (rule.beneficiary, rule.rate) == ("BUYER", Decimal("0.05"))


def test_a_draft_is_not_told_to_be_shared(organization: Organization, marketer: Visitor) -> None:
    campaign = factories.campaign(organization)
    assert "How to share" in text(marketer.get("campaign", campaign.pk))
    with tenant(organization):
        Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.DRAFT)
    page = text(marketer.get("campaign", campaign.pk))
    assert "Nothing earned yet" in page
    assert "How to share" not in page
