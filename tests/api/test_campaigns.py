"""Campaigns are made, read and changed; what isn't right or isn't available is named by field."""

from typing import Any

import pytest

from tests.api.client import Caller, problem
from tests.api.conftest import CAMPAIGN, Scene

RULE = {"type": "REFERRAL", "beneficiary": "REFERRER", "amount": 1200}


def test_it_works(api: Caller) -> None:
    made = api.post("/campaigns", {"name": "Friends", "currency": "USD", "rules": [RULE]})

    (rule,) = made["rules"]
    assert made == {
        "campaign_id": made["campaign_id"],
        "name": "Friends",
        "status": "DRAFT",
        "currency": "USD",
        "qualifying_event": "purchase",
        "landing_url": None,
        "attribution_window_days": 60,
        "holding_days": 0,
        "review_above": None,
        "budget": None,
        "earning_timing": "IMMEDIATE",
        "statement_day": None,
        "delay_days": None,
        "fulfilment": {"kind": "METHOD", "method": "MANUAL", "connection_id": None, "endpoint_id": None},
        "remainder": "DROP",
        "carry_minimum": 1,
        "base": {"tax": False, "shipping": False, "discounts": True},
        "coupon": {
            "kind": "AMOUNT",
            "percent_off": None,
            "duration": "once",
            "duration_months": None,
            "expires_days": None,
        },
        "auto_issue": {"when": "OFF", "minimum": 0, "limit_per_run": None, "approve_above": None},
        "rules": [rule],
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert rule == {
        "rule_id": rule["rule_id"],
        "type": "REFERRAL",
        "beneficiary": "REFERRER",
        "amount": 1200,
        "rate": None,
        "tiers": None,
        "min_purchase": 0,
        "min_purchase_count": 1,
        "min_total_spent": None,
        "every_n_referrals": None,
        "once_per": "REFERRED",
        "max_per_reward": None,
        "max_rewards_per_participant": None,
        "max_amount_per_period": None,
        "commission_months": None,
        "when_referrer_rewarded": False,
        "conditions": None,
    }
    assert api.get(f"/campaigns/{made['campaign_id']}") == made
    assert api.get("/campaigns") == {"data": [made], "next_cursor": None}


def test_what_was_answered_can_be_sent_back(api: Caller) -> None:
    rules = [
        RULE,
        {"type": "TRANSACTIONAL", "rate": "0.05", "max_amount_per_period": {"amount": 900, "period": "MONTH"}},
        {
            "type": "OFFER",
            "every_n_referrals": 3,
            "tiers": [{"from_referrals": 1, "amount": 5}, {"from_referrals": 9, "rate": "0.1"}],
            "conditions": {"all": [{"field": "country", "op": "in", "value": ["DE", "AT"]}]},
        },
    ]
    made = api.post("/campaigns", {**CAMPAIGN, "rules": rules})
    own = {"campaign_id", "created_at", "updated_at"}
    body = {name: value for name, value in made.items() if name not in own}
    changed = api.patch(f"/campaigns/{made['campaign_id']}", body)
    assert {**changed, "updated_at": None} == {**made, "updated_at": None}


def test_a_patch_changes_what_it_names(api: Caller) -> None:
    made = api.post("/campaigns", {**CAMPAIGN, "budget": 5000, "landing_url": "https://example.com/?a=1#b"})
    path = f"/campaigns/{made['campaign_id']}"
    changed = api.patch(path, {"name": "Pals", "budget": None, "base": {"tax": True}, "holding_days": 14})

    assert changed["name"] == "Pals"
    assert changed["budget"] is None
    assert changed["base"] == {"tax": True, "shipping": False, "discounts": True}
    assert changed["holding_days"] == 14
    assert changed["landing_url"] == "https://example.com/?a=1#b"
    assert changed["rules"] == made["rules"]
    assert api.patch(path, {})["name"] == "Pals"


def test_a_patch_of_rules_replaces_the_list(scene: Scene) -> None:
    path = f"/campaigns/{scene.campaign['campaign_id']}"
    old_id = scene.campaign["rules"][0]["rule_id"]
    earned = scene.earn("ord_1")

    changed = scene.api.patch(path, {"rules": [{**RULE, "rule_id": old_id, "amount": 900, "once_per": "EVENT"}]})
    assert [(rule["rule_id"], rule["amount"]) for rule in changed["rules"]] == [(old_id, 900)]
    assert scene.earn("ord_2")["amount"] == 900
    assert scene.api.get(f"/rewards/{earned['reward_id']}")["amount"] == 1200

    replaced = scene.api.patch(path, {"rules": [{**RULE, "amount": 500, "once_per": "EVENT"}]})
    assert [rule["amount"] for rule in replaced["rules"]] == [500]
    assert replaced["rules"][0]["rule_id"] != old_id

    answer = scene.api.patch(path, {"rules": [{**RULE, "rule_id": old_id}]}, expect=400)
    assert problem(answer) == ("invalid", ("rules", "unknown_rule"))


@pytest.mark.parametrize("given", [{}, {"type": "REFERRAL"}, {"type": "REFERRAL", "beneficiary": None}])
def test_a_rule_rewards_the_referrer_of_a_referral_by_default(api: Caller, given: dict[str, Any]) -> None:
    (rule,) = api.post("/campaigns", {**CAMPAIGN, "rules": [{**given, "amount": 1200}]})["rules"]
    assert (rule["type"], rule["beneficiary"]) == ("REFERRAL", "REFERRER")


@pytest.mark.parametrize(("given", "missing"), [({}, "type"), ({"type": "REFERRAL"}, "beneficiary")])
def test_a_rule_that_is_there_becomes_no_other_by_silence(scene: Scene, given: dict[str, Any], missing: str) -> None:
    path = f"/campaigns/{scene.campaign['campaign_id']}"
    (rule,) = scene.campaign["rules"]
    change = {"rules": [{**given, "rule_id": rule["rule_id"], "amount": 900}]}
    assert problem(scene.api.patch(path, change, expect=400)) == ("invalid", (f"rules.0.{missing}", "required"))
    assert scene.api.get(path)["rules"] == [rule]


@pytest.mark.parametrize(
    ("steps", "refused"),
    [(["PAUSED", "ACTIVE", "ENDED"], "ACTIVE"), (["PAUSED"], "DRAFT"), (["ENDED"], "PAUSED")],
)
def test_the_status_takes_only_the_steps_there_are(api: Caller, steps: list[str], refused: str) -> None:
    path = f"/campaigns/{api.post('/campaigns', CAMPAIGN)['campaign_id']}"
    for status in steps:
        assert api.patch(path, {"status": status})["status"] == status
    assert problem(api.patch(path, {"status": refused}, expect=409)) == ("invalid_transition",)
    assert api.get(path)["status"] == steps[-1]


def test_the_currency_is_fixed_by_the_first_event(scene: Scene) -> None:
    path = f"/campaigns/{scene.campaign['campaign_id']}"
    scene.api.patch(path, {"currency": "EUR"})
    scene.api.patch(path, {"currency": "USD"})
    scene.earn()
    assert problem(scene.api.patch(path, {"currency": "EUR"}, expect=409)) == ("currency_fixed",)
    assert scene.api.get(path)["currency"] == "USD"


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": ""}, "name", "blank"),
        ({"name": None}, "name", "null"),
        ({"name": "x" * 201}, "name", "max_length"),
        ({"currency": "US"}, "currency", "unknown_currency"),
        ({"currency": "ZZZ"}, "currency", "unknown_currency"),
        ({"status": "LIVE"}, "status", "invalid_choice"),
        ({"budget": 0}, "budget", "min_value"),
        ({"budget": 10**16}, "budget", "max_value"),
        ({"holding_days": -1}, "holding_days", "min_value"),
        ({"holding_days": 1.5}, "holding_days", "invalid"),
        ({"landing_url": "javascript:alert(1)"}, "landing_url", "invalid_url"),
        ({"landing_url": "https://"}, "landing_url", "invalid_url"),
        ({"landing_url": "http://[::1"}, "landing_url", "invalid_url"),
        ({"landing_url": "http://a:99999/"}, "landing_url", "invalid_url"),
        ({"rules": []}, "rules", "empty"),
        ({"rules": None}, "rules", "null"),
        ({"rules": {}}, "rules", "not_a_list"),
        ({"rules": [{**RULE, "type": "GIFT"}]}, "rules.0.type", "invalid_choice"),
        (
            {"rules": [RULE, {"type": "REFERRAL", "beneficiary": "BUYER", "amount": 5}]},
            "rules.1.beneficiary",
            "invalid_choice",
        ),
        ({"rules": [{**RULE, "rate": "0.1"}]}, "rules.0.rate", "exactly_one"),
        ({"rules": [{**RULE, "amount": None}]}, "rules.0.amount", "exactly_one"),
        ({"rules": [{**RULE, "amount": None, "rate": 0.05}]}, "rules.0.rate", "invalid"),
        ({"rules": [{**RULE, "amount": None, "rate": "0"}]}, "rules.0.rate", "out_of_range"),
        ({"rules": [{**RULE, "amount": None, "rate": "1e1"}]}, "rules.0.rate", "invalid"),
        ({"rules": [{**RULE, "amount": True}]}, "rules.0.amount", "invalid"),
        ({"rules": [{**RULE, "colour": 1}]}, "rules.0.colour", "unknown_field"),
        ({"rules": [{**RULE, "conditions": {"all": []}}]}, "rules.0.conditions", "invalid"),
        ({"rules": [{**RULE, "amount": None, "tiers": [{"amount": 5}]}]}, "rules.0.tiers.0.from_referrals", "required"),
        (
            {"rules": [{**RULE, "max_amount_per_period": {"amount": 5, "period": "YEAR"}}]},
            "rules.0.max_amount_per_period.period",
            "invalid_choice",
        ),
        ({"rules": [{**RULE, "rule_id": "01a1fdaf-15e7-71f0-a520-1af081a50180"}]}, "rules", "unknown_rule"),
        ({"fulfilment": {"method": "CASH"}}, "fulfilment.method", "invalid_choice"),
        (
            {"fulfilment": {"connection_id": "01a1fdaf-15e7-71f0-a520-1af081a50180"}},
            "fulfilment.connection_id",
            "unknown_connection",
        ),
        ({"campaign_id": "01a1fdaf-15e7-71f0-a520-1af081a50180"}, "campaign_id", "unknown_field"),
        ({"statement_day": 32}, "statement_day", "max_value"),
        ({"carry_minimum": 0}, "carry_minimum", "min_value"),
        ({"remainder": "KEEP"}, "remainder", "invalid_choice"),
        ({"earning_timing": "WEEKLY"}, "earning_timing", "invalid_choice"),
    ],
)
def test_a_wrong_field_is_named(api: Caller, change: dict[str, Any], field: str, code: str) -> None:
    assert problem(api.post("/campaigns", {**CAMPAIGN, **change}, expect=400)) == ("invalid", (field, code))
    assert api.get("/campaigns")["data"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"fulfilment": {"method": "GOLD"}}, "fulfilment.method"),
        ({"auto_issue": {"when": "HOURLY"}}, "auto_issue.when"),
    ],
)
def test_a_word_that_is_none_of_the_choices(api: Caller, change: dict[str, Any], field: str) -> None:
    answer = api.post("/campaigns", {**CAMPAIGN, **change}, expect=400)
    assert problem(answer) == ("invalid", (field, "invalid_choice"))
    assert api.get("/campaigns")["data"] == []


def test_orders_by_webhook(api: Caller) -> None:
    endpoint = api.post("/webhook-endpoints", {"url": "https://example.com/hook"})["endpoint_id"]
    facts = api.post("/webhook-endpoints", {"url": "https://example.com/facts", "event_types": ["EVENT"]})[
        "endpoint_id"
    ]
    made = api.post("/campaigns", {**CAMPAIGN, "fulfilment": {"kind": "WEBHOOK", "endpoint_id": endpoint}})

    assert made["fulfilment"] == {
        "kind": "WEBHOOK",
        "method": "MANUAL",
        "connection_id": None,
        "endpoint_id": endpoint,
    }
    path = f"/campaigns/{made['campaign_id']}"
    for wrong, code in ((made["campaign_id"], "unknown_endpoint"), (facts, "takes_no_orders")):
        answer = api.patch(path, {"fulfilment": {"endpoint_id": wrong}}, expect=400)
        assert problem(answer) == ("invalid", ("fulfilment.endpoint_id", code))
    assert problem(api.said("DELETE", f"/webhook-endpoints/{endpoint}", None, 409)) == ("in_use",)
    assert api.patch(path, {"fulfilment": {"kind": "METHOD"}})["fulfilment"]["endpoint_id"] is None
    assert api.call("DELETE", f"/webhook-endpoints/{endpoint}").status_code == 204


def test_when_earned_rewards_are_due_can_be_chosen_and_changed(api: Caller) -> None:
    made = api.post("/campaigns", {**CAMPAIGN, "earning_timing": "STATEMENT", "statement_day": 15}, expect=201)
    assert (made["earning_timing"], made["statement_day"], made["delay_days"]) == ("STATEMENT", 15, None)
    path = f"/campaigns/{made['campaign_id']}"
    refused = api.patch(path, {"earning_timing": "DELAYED"}, expect=422)
    assert problem(refused) == ("impossible", ("delay_days", "required"))
    assert api.get(path)["earning_timing"] == "STATEMENT"
    changed = api.patch(path, {"earning_timing": "DELAYED", "delay_days": 7, "statement_day": None}, expect=200)
    assert (changed["earning_timing"], changed["statement_day"], changed["delay_days"]) == ("DELAYED", None, 7)
    assert api.get(path) == changed
