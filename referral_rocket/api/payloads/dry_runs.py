from typing import Any

from campaigns.terms import in_words
from referral_rocket.api.payloads.campaigns import rule as rule_payload
from referral_rocket.kit.clock import rfc3339
from rewards.dry_run import Compared, DryRun, RuleCompared


def dry_run(found: DryRun) -> dict[str, Any]:
    return {
        "since": rfc3339(found.since),
        "events": found.events_replayed,
        "totals": [{"currency": found.currency, **_compared(found.total)}],
        "rules": [_rule(each, found.currency) for each in found.rules],
        "participants": [
            {"participant_id": str(participant.pk), **_compared(compared)}
            for participant, compared in found.participants
        ],
        "participants_differing": found.differing_participants,
        "events_differing_most": [
            {
                "event_id": str(event.pk),
                "participant_id": str(event.participant_id),
                "transaction_id": event.transaction_id,
                "occurred_at": rfc3339(event.occurred_at),
                **_compared(compared),
            }
            for event, compared in found.events
        ],
        "events_differing": found.differing_events,
        "decisions": [{"code": code, "count": count} for code, count in found.codes],
    }


def _rule(found: RuleCompared, currency: str) -> dict[str, Any]:
    rule = found.rule
    return {
        "rule_id": None if found.is_new else str(found.rule_id),
        "rule": None if rule is None else {**rule_payload(rule), **({"rule_id": None} if found.is_new else {})},
        "in_words": None if rule is None else in_words(rule, currency),
        **_compared(found.compared),
    }


def _compared(found: Compared) -> dict[str, Any]:
    return {
        "given": {"count": found.given.count, "amount": found.given.amount},
        "would": {"count": found.would.count, "amount": found.would.amount},
        "difference": found.difference,
    }
