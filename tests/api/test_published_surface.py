"""What the API promises, call by call and field by field, is in its document. Fields may be added, nothing is renamed."""

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)

PAGED = {"limit", "cursor"}
# (method, path, statuses of success, filters, scope). Every call besides may also refuse, see below.
CALLS: list[tuple[str, str, set[str], set[str], str]] = [
    ("get", "organization", {"200"}, set(), "read"),
    ("patch", "organization", {"200"}, set(), "write"),
    ("post", "test-clock", {"200"}, set(), "write"),
    ("get", "campaigns", {"200"}, PAGED, "read"),
    ("post", "campaigns", {"201"}, set(), "write"),
    ("get", "campaigns/{campaign_id}", {"200"}, set(), "read"),
    ("patch", "campaigns/{campaign_id}", {"200"}, set(), "write"),
    ("post", "campaigns/{campaign_id}/dry-run", {"200"}, set(), "read"),
    (
        "get",
        "campaigns/{campaign_id}/participants",
        {"200"},
        PAGED | {"email", "referral_code", "external_id", "customer_id"},
        "read",
    ),
    ("post", "campaigns/{campaign_id}/participants", {"201", "200"}, set(), "write"),
    ("get", "participants/{participant_id}", {"200"}, set(), "read"),
    ("patch", "participants/{participant_id}", {"200"}, set(), "write"),
    ("delete", "participants/{participant_id}", {"204"}, set(), "write"),
    ("post", "campaigns/{campaign_id}/events", {"201", "200"}, set(), "write"),
    ("get", "events", {"200"}, PAGED | {"campaign_id", "transaction_id", "participant_id"}, "read"),
    ("get", "events/{event_id}", {"200"}, set(), "read"),
    ("post", "campaigns/{campaign_id}/refunds", {"201", "200"}, set(), "write"),
    ("post", "events/{event_id}/refunds", {"201", "200"}, set(), "write"),
    (
        "get",
        "rewards",
        {"200"},
        PAGED
        | {
            "status",
            "type",
            "waiting_for",
            "campaign_id",
            "customer_id",
            "participant_id",
            "transaction_id",
            "event_id",
            "created_after",
            "created_before",
        },
        "read",
    ),
    ("post", "rewards", {"201", "200"}, set(), "write"),
    ("get", "rewards/{reward_id}", {"200"}, set(), "read"),
    ("patch", "rewards/{reward_id}", {"200"}, set(), "issue"),
    ("get", "rewards/{reward_id}/history", {"200"}, PAGED, "read"),
    ("get", "rewards/{reward_id}/parts", {"200"}, PAGED, "read"),
    ("post", "rewards/{reward_id}/approve", {"200"}, set(), "issue"),
    ("post", "rewards/{reward_id}/reject", {"200"}, set(), "issue"),
    ("get", "customers/{customer_id}", {"200"}, set(), "read"),
    ("get", "customers/{customer_id}/rewards", {"200"}, PAGED | {"status"}, "read"),
    ("get", "customers/{customer_id}/balance", {"200"}, set(), "read"),
    ("get", "reward-batches", {"200"}, PAGED, "read"),
    ("post", "reward-batches", {"202", "200"}, set(), "issue"),
    ("get", "reward-batches/{batch_id}", {"200"}, set(), "read"),
    ("get", "reward-batches/{batch_id}/items", {"200"}, PAGED, "read"),
    ("post", "reward-batches/{batch_id}/cancel", {"200"}, set(), "issue"),
    ("get", "webhook-endpoints", {"200"}, PAGED, "read"),
    ("post", "webhook-endpoints", {"201"}, set(), "write"),
    ("get", "webhook-endpoints/{endpoint_id}", {"200"}, set(), "read"),
    ("patch", "webhook-endpoints/{endpoint_id}", {"200"}, set(), "write"),
    ("delete", "webhook-endpoints/{endpoint_id}", {"204"}, set(), "write"),
    ("post", "webhook-endpoints/{endpoint_id}/rotate-secret", {"200"}, set(), "write"),
    ("post", "webhook-endpoints/{endpoint_id}/test", {"202"}, set(), "write"),
    ("post", "webhook-endpoints/{endpoint_id}/replay", {"202"}, set(), "write"),
    ("get", "webhook-endpoints/{endpoint_id}/deliveries", {"200"}, PAGED | {"status", "event_type"}, "read"),
    ("get", "deliveries/{delivery_id}", {"200"}, set(), "read"),
    ("post", "deliveries/{delivery_id}/retry", {"202"}, set(), "write"),
    ("get", "connections", {"200"}, PAGED, "read"),
    ("post", "connections", {"201"}, set(), "write"),
    ("get", "connections/{connection_id}", {"200"}, set(), "read"),
    ("patch", "connections/{connection_id}", {"200"}, set(), "write"),
    ("delete", "connections/{connection_id}", {"204"}, set(), "write"),
    ("post", "connections/{connection_id}/check", {"202"}, set(), "write"),
]
# The codes by which a call says no, beside those that every call has.
CODES: list[tuple[str, str, str, set[str]]] = [
    ("post", "test-clock", "403", {"test_key_required"}),
    ("post", "test-clock", "422", {"clock_moves_forward_only"}),
    ("patch", "campaigns/{campaign_id}", "409", {"invalid_transition", "currency_fixed"}),
    ("post", "campaigns/{campaign_id}/dry-run", "422", {"too_many_events"}),
    ("post", "campaigns/{campaign_id}/participants", "422", {"unknown_referral_code", "self_referral"}),
    ("post", "campaigns/{campaign_id}/events", "409", {"transaction_conflict"}),
    ("post", "campaigns/{campaign_id}/events", "422", {"campaign_not_active"}),
    ("post", "rewards", "409", {"external_ref_conflict"}),
    ("patch", "rewards/{reward_id}", "409", {"invalid_transition", "fulfilled_by_method", "being_issued"}),
    ("patch", "rewards/{reward_id}", "422", {"amount_exceeds_owed"}),
    ("post", "rewards/{reward_id}/approve", "409", {"invalid_transition"}),
    ("post", "reward-batches", "422", {"connection_required"}),
    ("post", "reward-batches", "404", {"not_found"}),
    ("post", "webhook-endpoints", "422", {"address_not_allowed"}),
    ("delete", "webhook-endpoints/{endpoint_id}", "409", {"orders_open"}),
    ("post", "connections", "422", {"mode_mismatch"}),
]
FIELDS: dict[tuple[str, str, str], set[str]] = {
    ("get", "organization", "200"): {"organization_id", "name", "time_zone", "mode", "now"},
    ("get", "campaigns/{campaign_id}", "200"): {
        "campaign_id", "name", "status", "currency", "qualifying_event", "landing_url", "attribution_window_days",
        "holding_days", "review_above", "budget", "earning_timing", "statement_day", "delay_days", "fulfilment",
        "remainder", "carry_minimum", "base", "coupon", "auto_issue", "rules", "created_at", "updated_at",
    },
    ("post", "campaigns/{campaign_id}/participants", "201"): {
        "participant_id", "customer_id", "campaign_id", "email", "name", "external_id", "referral_code", "share_url",
        "referred_by", "joined_at",
    },
    ("post", "campaigns/{campaign_id}/events", "201"): {
        "event_id", "outcome", "transaction_id", "differs", "net_amount", "decisions", "rewards",
    },
    ("post", "campaigns/{campaign_id}/refunds", "201"): {"refund_id", "event_id", "net_amount", "capped", "rewards"},
    ("get", "rewards/{reward_id}", "200"): {
        "reward_id", "customer_id", "participant_id", "campaign_id", "rule_id", "event_id", "transaction_id", "type",
        "status", "amount", "earned_amount", "currency", "remainder_amount", "refunded_amount", "pending_reduction",
        "netted_amount", "deducts", "restores", "carried_from", "aggregate_id", "fulfilment", "method",
        "provider_reference", "reason", "settled_by", "deducts_part", "uncut_amount", "waiting_for", "earned_at",
        "due_at", "issued_at", "created_at", "updated_at",
    },
    ("get", "reward-batches/{batch_id}", "200"): {
        "batch_id", "method", "status", "counts", "created_at", "finished_at",
    },
    ("post", "reward-batches", "200"): {"counts", "totals", "items", "problems"},
    ("post", "connections", "201"): {
        "connection_id", "provider", "status", "settings", "webhook_url", "last_event_at", "created_at",
    },
    ("post", "webhook-endpoints", "201"): {
        "endpoint_id", "url", "description", "status_mode", "event_types", "status", "disabled_reason", "secret",
        "created_at",
    },
    ("get", "deliveries/{delivery_id}", "200"): {
        "delivery_id", "webhook_id", "event_type", "status", "next_attempt_at", "attempts",
    },
}  # fmt: skip
INSIDE: dict[str, set[str]] = {
    "RuleShape": {
        "rule_id", "type", "beneficiary", "amount", "rate", "min_purchase", "min_purchase_count", "min_total_spent",
        "every_n_referrals", "tiers", "once_per", "max_per_reward", "max_rewards_per_participant",
        "max_amount_per_period", "commission_months", "when_referrer_rewarded", "conditions",
    },
    "DecisionShape": {"rule_id", "outcome", "code", "message", "reward_id"},
    "TransitionShape": {"at", "from", "to", "actor", "reason", "amount_before", "amount_after"},
    "Balance": {"currency", "earned", "due", "issued", "deducted", "to_deduct"},
    "ItemShape": {"reward_id", "outcome", "code", "message", "provider_reference"},
    "BatchCounts": {"total", "queued", "succeeded", "failed", "unknown", "waiting"},
    "AttemptShape": {"at", "status_code", "error", "duration_ms", "response_excerpt"},
    "ProblemShape": {"type", "title", "status", "detail", "code", "request_id", "errors"},
}  # fmt: skip
DECISION_CODES = {
    "rewarded", "budget_cut", "budget_exhausted", "below_min_purchase", "below_min_count", "below_min_total",
    "cap_reached", "already_rewarded", "not_referred", "self_referral", "outside_attribution_window",
    "currency_mismatch", "condition_not_met", "other_event_type", "zero_amount", "in_review", "held_for_fraud",
}  # fmt: skip


def call_of(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][f"/api/v1/{path}"][method]
    return found


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return schema


def codes_of(call: dict[str, Any], status: str) -> set[str]:
    schema = call["responses"][status]["content"]["application/problem+json"]["schema"]
    return set(schema["allOf"][1]["properties"]["code"]["enum"])


@pytest.mark.parametrize(("method", "path", "successes", "filters", "scope"), CALLS)
def test_it_works(method: str, path: str, successes: set[str], filters: set[str], scope: str) -> None:
    call = call_of(method, path)

    assert {status for status in call["responses"] if status < "300"} == successes
    assert {each["name"] for each in call.get("parameters", []) if each["in"] == "query"} == filters
    assert f"Needs the scope `{scope}`." in call["description"]
    keys = [each for each in call.get("parameters", []) if each["name"] == "Idempotency-Key"]
    assert len(keys) == (method in ("post", "patch"))


@pytest.mark.parametrize(("method", "path"), [call[:2] for call in CALLS])
def test_every_call_says_how_it_refuses(method: str, path: str) -> None:
    responses = call_of(method, path)["responses"]
    expected = {"400", "401", "403", "406", "429", "500", "503"}
    if "{" in path:
        expected |= {"404"}
    if method in ("post", "patch"):
        expected |= {"409", "413", "415", "422"}

    assert expected <= set(responses)
    assert "Retry-After" in responses["429"]["headers"]
    for status in responses:
        if status >= "400":
            assert set(responses[status]["content"]) == {"application/problem+json"}


@pytest.mark.parametrize(("method", "path", "status", "codes"), CODES)
def test_codes(method: str, path: str, status: str, codes: set[str]) -> None:
    assert codes <= codes_of(call_of(method, path), status)


@pytest.mark.parametrize(("method", "path", "status"), FIELDS)
def test_fields(method: str, path: str, status: str) -> None:
    content = call_of(method, path)["responses"][status]["content"]["application/json"]
    shape = resolved(content["schema"])

    assert set(shape["properties"]) >= FIELDS[method, path, status]
    assert set(shape["required"]) >= FIELDS[method, path, status]


@pytest.mark.parametrize("name", INSIDE)
def test_fields_of_what_is_inside(name: str) -> None:
    assert set(DOCUMENT["components"]["schemas"][name]["properties"]) >= INSIDE[name]


def test_each_list_is_a_page() -> None:
    listed = [call for call in CALLS if call[3] >= PAGED]
    assert len(listed) == 12
    for method, path, *_ in listed:
        shape = call_of(method, path)["responses"]["200"]["content"]["application/json"]["schema"]
        assert set(shape["required"]) == {"data", "next_cursor"}


def test_the_codes_of_decisions() -> None:
    code = resolved(DOCUMENT["components"]["schemas"]["DecisionShape"]["properties"]["code"])
    assert set(code["enum"]) == DECISION_CODES


def test_what_each_provider_takes() -> None:
    about = call_of("post", "connections")["description"]

    for told in (
        "`stripe` `{api_key}`",
        "`shopify` `{shop, access_token, client_secret}`",
        "`razorpay` `{key_id, key_secret}`",
        "`cashfree` `{client_id, client_secret}`",
        "`tremendous` `{api_key}`, settings `{funding_source_id, campaign_id?, product_ids?",
        "`paypal` `{client_id, client_secret, webhook_id?}`",
        "`wise` `{api_token}`, settings `{profile_id, source_currency}`",
        "those of Stripe, Razorpay, Paddle and Tremendous are refused without it",
    ):
        assert told in about
