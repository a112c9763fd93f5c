"""`POST /campaigns/{campaign_id}/dry-run`."""

import pytest

from referral_rocket.accounts.models import Scope
from tests.api.client import problem
from tests.api.conftest import Scene, caller_of

SINCE = "2020-01-01T00:00:00Z"


@pytest.fixture
def bought(scene: Scene) -> Scene:
    """Ben has bought for $120.00, which earned Ann $12.00."""
    body = {
        "participant": {"participant_id": scene.ben["participant_id"]},
        "type": "purchase",
        "transaction_id": "o1",
        "amount": 12000,
        "currency": "USD",
    }
    scene.api.post(f"/campaigns/{scene.campaign['campaign_id']}/events", body)
    return scene


def ask(scene: Scene, body, expect: int = 200):
    return scene.api.post(f"/campaigns/{scene.campaign['campaign_id']}/dry-run", body, expect=expect)


def sums(compared):
    return compared["given"], compared["would"], compared["difference"]


def test_it_works(bought: Scene) -> None:
    (present,) = bought.campaign["rules"]
    rule = {"rule_id": present["rule_id"], "type": "REFERRAL", "beneficiary": "REFERRER", "rate": "0.05"}
    new = {"type": "TRANSACTIONAL", "amount": 100}

    answer = ask(bought, {"rules": [rule, new], "since": SINCE})

    assert answer["since"] == SINCE
    assert answer["events"] == 1
    (total,) = answer["totals"]
    assert total["currency"] == "USD"
    assert sums(total) == ({"count": 1, "amount": 1200}, {"count": 2, "amount": 700}, -500)
    first, second = answer["rules"]
    assert (first["rule_id"], first["rule"]["rate"]) == (present["rule_id"], "0.05")
    assert first["in_words"] == "The referrer earns 5 % of each qualifying event."
    assert sums(first) == ({"count": 1, "amount": 1200}, {"count": 1, "amount": 600}, -600)
    assert (second["rule_id"], second["rule"]["type"]) == (None, "TRANSACTIONAL")
    assert sums(second) == ({"count": 0, "amount": 0}, {"count": 1, "amount": 100}, 100)
    assert [(each["participant_id"], each["difference"]) for each in answer["participants"]] == [
        (bought.ann["participant_id"], -600),
        (bought.ben["participant_id"], 100),
    ]
    assert answer["participants_differing"] == 2
    assert [(each["transaction_id"], each["difference"]) for each in answer["events_differing_most"]] == [("o1", -500)]
    assert answer["decisions"] == [{"code": "rewarded", "count": 2}]
    assert bought.api.get(f"/campaigns/{bought.campaign['campaign_id']}") == bought.campaign
    assert len(bought.api.get("/rewards")["data"]) == 1


def test_without_rules_the_present_ones_are_asked(bought: Scene) -> None:
    answer = ask(bought, {"since": SINCE})

    assert sums(answer["totals"][0]) == ({"count": 1, "amount": 1200}, {"count": 1, "amount": 1200}, 0)
    assert (answer["participants"], answer["events_differing_most"]) == ([], [])


def test_nothing_since_then(bought: Scene) -> None:
    answer = ask(bought, {"since": "2150-01-01T00:00:00Z"})

    assert answer["events"] == 0
    assert sums(answer["totals"][0]) == ({"count": 0, "amount": 0}, {"count": 0, "amount": 0}, 0)


def test_too_many_events(bought: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewards.dry_run.MOST_EVENTS", 0)

    assert problem(ask(bought, {"since": SINCE}, expect=422)) == ("too_many_events",)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("invalid", ("since", "required"))),
        ({"since": "yesterday"}, ("invalid", ("since", "invalid"))),
        ({"since": SINCE, "rules": []}, ("invalid", ("rules", "empty"))),
        ({"since": SINCE, "rules": [{"type": "TRANSACTIONAL"}]}, ("invalid", ("rules.0.amount", "exactly_one"))),
        (
            {
                "since": SINCE,
                "rules": [{"type": "TRANSACTIONAL", "amount": 1, "rule_id": "0" * 8 + "-0000-0000-0000-" + "0" * 12}],
            },
            ("invalid", ("rules", "unknown_rule")),
        ),
    ],
)
def test_bad_input(bought: Scene, body, expected) -> None:
    assert problem(ask(bought, body, expect=400)) == expected


def test_reading_is_enough(bought: Scene) -> None:
    reader = caller_of(bought.api.organization, Scope.READ)

    assert (
        reader.post(f"/campaigns/{bought.campaign['campaign_id']}/dry-run", {"since": SINCE}, expect=200)["events"] == 1
    )
