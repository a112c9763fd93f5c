"""Making and changing campaigns. Each service is atomic by itself and says in the activity log what changed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from campaigns.errors import CampaignConflict, InvalidCampaign
from campaigns.models import Campaign, CampaignStatus, CampaignStatusChange, FulfilmentKind, RewardRule
from campaigns.selectors import current_rules
from campaigns.states import CAMPAIGN_TRANSITIONS
from campaigns.terms import CAMPAIGN_FIELDS, RULE_FIELDS, CampaignTerms, RuleTerms, check_campaign, complete_rules
from integrations import registry
from integrations.models import Connection, Endpoint, EventType
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7

MANUAL = "MANUAL"
_CLOSING = frozenset({"earning_timing", "statement_day"})


@transaction.atomic
def campaign_create(
    *,
    organization: Organization,
    terms: CampaignTerms,
    rules: Sequence[RuleTerms],
    actor: str,
    status: str = CampaignStatus.DRAFT,
    created_at: datetime | None = None,
) -> Campaign:
    """A campaign with its rules, in `status` from `created_at` (now) on. Raises InvalidCampaign."""
    check_campaign(terms)
    _check_method(terms)
    completed = complete_rules(rules)
    if any(rule.rule_id is not None for rule in completed):
        raise InvalidCampaign([("rules", "unknown_rule", "The rules of a new campaign have no rule_id yet.")])
    now = created_at or clock.now(organization)
    campaign = Campaign(
        organization=organization,
        status=status,
        created_at=now,
        updated_at=now,
        closed_until=now,
        auto_issue_since=now,
        **asdict(terms),
    )
    campaign.save(force_insert=True)
    _note_status(campaign, now, actor)
    RewardRule.objects.bulk_create(_version(campaign, rule, position, now) for position, rule in enumerate(completed))
    _record(campaign, actor, "campaign.created", {"status": status})
    return campaign


@transaction.atomic
def campaign_update(
    *,
    organization: Organization,
    campaign: Campaign,
    actor: str,
    terms: CampaignTerms | None = None,
    rules: Sequence[RuleTerms] | None = None,
    status: str | None = None,
    has_event: bool = False,
) -> Campaign:
    """Change what is given. `rules` replaces the list: what is earned already never changes.

    `has_event` says whether the campaign has an event: its currency is fixed from then on. Raises InvalidCampaign,
    CampaignConflict.
    """
    held = Campaign.objects.select_for_update().get(pk=campaign.pk)
    now = clock.now(organization)
    changed: dict[str, object] = {}
    if terms is not None:
        changed |= _apply_terms(held, terms, has_event)
        if not changed.keys().isdisjoint(_CLOSING):
            # What was ready before waits for the first close after this moment: no close is made up for the past.
            held.closed_until = max(held.closed_until, now)
        if "auto_issue_when" in changed:
            held.auto_issue_since = now
    if rules is not None:
        changed["rules"] = _replace_rules(held, complete_rules(rules), now)
    if status is not None and status != held.status:
        changed["status"] = [held.status, status]
        _change_status(held, status, now, actor)
    held.updated_at = now
    held.save()
    if changed:
        _record(held, actor, "campaign.changed", {"fields": sorted(changed), "status": held.status})
    return held


@transaction.atomic
def auto_issue_pause(*, organization: Organization, campaign: Campaign, paused: bool, actor: str) -> Campaign:
    """Stop issuing by itself, or go on with it. No run is made up for the time of the pause.

    A run that is being made right now ends first; what it put into batches is issued. Asked twice, it changes nothing.
    """
    held = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if (held.auto_issue_paused_at is not None) == paused:
        return held
    now = clock.now(organization)
    held.auto_issue_paused_at = now if paused else None
    if not paused:
        held.auto_issue_since = now
    held.updated_at = now
    held.save(update_fields=["auto_issue_paused_at", "auto_issue_since", "updated_at"])
    _record(held, actor, "campaign.changed", {"fields": ["auto_issue_paused"], "status": held.status})
    return held


def _apply_terms(campaign: Campaign, terms: CampaignTerms, has_event: bool) -> dict[str, object]:
    check_campaign(terms)
    _check_method(terms)
    if has_event and terms.currency != campaign.currency:
        raise CampaignConflict("currency_fixed", "The campaign has events, so its currency can't change any more.")
    changed = {}
    for name in CAMPAIGN_FIELDS:
        if getattr(campaign, name) != getattr(terms, name):
            changed[name] = getattr(terms, name)
            setattr(campaign, name, getattr(terms, name))
    return changed


def _check_method(terms: CampaignTerms) -> None:
    if terms.fulfilment_kind not in FulfilmentKind.values:
        raise InvalidCampaign([("fulfilment.kind", "invalid_choice", f"Use {' or '.join(FulfilmentKind.values)}.")])
    _check_endpoint(terms)
    if terms.fulfilment_method not in methods():
        raise InvalidCampaign([("fulfilment.method", "invalid_choice", f"Use one of {', '.join(methods())}.")])
    if terms.fulfilment_connection_id is None:
        return
    connection = Connection.objects.filter(pk=terms.fulfilment_connection_id).first()
    provider = None if terms.fulfilment_method == MANUAL else registry.provider_of_method(terms.fulfilment_method).slug
    if connection is None or connection.provider != provider:
        raise InvalidCampaign(
            [("fulfilment.connection_id", "unknown_connection", "There is no such connection for this method.")]
        )


def _check_endpoint(terms: CampaignTerms) -> None:
    if terms.fulfilment_endpoint_id is None:
        return
    name = "fulfilment.endpoint_id"
    if terms.fulfilment_kind != FulfilmentKind.WEBHOOK:
        raise InvalidCampaign([(name, "invalid", "Only a campaign that is fulfilled by WEBHOOK names an endpoint.")])
    endpoint = Endpoint.objects.filter(pk=terms.fulfilment_endpoint_id, deleted_at__isnull=True).first()
    if endpoint is None:
        raise InvalidCampaign([(name, "unknown_endpoint", "There is no such webhook endpoint.")])
    if EventType.REWARD not in endpoint.event_types:
        raise InvalidCampaign([(name, "takes_no_orders", "This endpoint doesn't take REWARD, which orders are.")])


def methods() -> tuple[str, ...]:
    """By hand first, then what the built providers offer."""
    return (MANUAL, *(method.slug for method in registry.methods()))


def _change_status(campaign: Campaign, status: str, now: datetime, actor: str) -> None:
    if not CAMPAIGN_TRANSITIONS.allows(campaign.status, status):
        raise CampaignConflict("invalid_transition", f"The campaign is {campaign.status}; it can't become {status}.")
    campaign.status = status
    _note_status(campaign, now, actor)


def _note_status(campaign: Campaign, at: datetime, actor: str) -> None:
    CampaignStatusChange.objects.create(
        organization=campaign.organization, campaign=campaign, at=at, status=campaign.status, actor=actor
    )


def _replace_rules(campaign: Campaign, rules: Sequence[RuleTerms], now: datetime) -> list[str]:
    """End the versions that are changed or gone, and add the new ones; an unchanged rule keeps its version."""
    before = {rule.rule_id: rule for rule in current_rules(campaign)}
    unknown = [rule.rule_id for rule in rules if rule.rule_id is not None and rule.rule_id not in before]
    if unknown:
        raise InvalidCampaign([("rules", "unknown_rule", f"This campaign has no rule {unknown[0]}.")])
    added, kept = [], set()
    for position, terms in enumerate(rules):
        previous = before.get(terms.rule_id) if terms.rule_id else None
        if previous is not None and _same(previous, terms):
            kept.add(previous.pk)
            RewardRule.objects.filter(pk=previous.pk).update(position=position)
            continue
        added.append(_version(campaign, terms, position, now, previous))
    RewardRule.objects.filter(campaign=campaign, valid_until__isnull=True).exclude(pk__in=kept).update(valid_until=now)
    RewardRule.objects.bulk_create(added)
    return [str(rule.rule_id) for rule in added]


def rules_proposed(*, organization: Organization, campaign: Campaign, rules: Sequence[RuleTerms]) -> list[RewardRule]:
    """The versions that replacing the campaign's rules by these would make now; nothing is stored.

    Raises InvalidCampaign, as `campaign_update` would.
    """
    before = {rule.rule_id: rule for rule in current_rules(campaign)}
    completed = complete_rules(rules)
    unknown = [rule.rule_id for rule in completed if rule.rule_id is not None and rule.rule_id not in before]
    if unknown:
        raise InvalidCampaign([("rules", "unknown_rule", f"This campaign has no rule {unknown[0]}.")])
    now = clock.now(organization)
    return [
        _version(campaign, terms, position, now, before.get(terms.rule_id) if terms.rule_id else None)
        for position, terms in enumerate(completed)
    ]


def _same(rule: RewardRule, terms: RuleTerms) -> bool:
    return all(getattr(rule, name) == getattr(terms, name) for name in RULE_FIELDS)


def _version(
    campaign: Campaign, terms: RuleTerms, position: int, now: datetime, previous: RewardRule | None = None
) -> RewardRule:
    return RewardRule(
        organization=campaign.organization,
        campaign=campaign,
        rule_id=previous.rule_id if previous else uuid7(),
        version=previous.version + 1 if previous else 1,
        position=position,
        valid_from=now,
        **{name: getattr(terms, name) for name in RULE_FIELDS},
    )


def terms_of(campaign: Campaign) -> CampaignTerms:
    return CampaignTerms(**{name: getattr(campaign, name) for name in CAMPAIGN_FIELDS})


def rule_terms_of(rule: RewardRule) -> RuleTerms:
    return RuleTerms(rule_id=rule.rule_id, **{name: getattr(rule, name) for name in RULE_FIELDS})


def campaign_duplicate(*, organization: Organization, campaign: Campaign, actor: str) -> Campaign:
    """A draft with the same terms and rules, and nobody in it."""
    terms = CampaignTerms(**{**asdict(terms_of(campaign)), "name": f"{campaign.name} (copy)"[:200]})
    rules = [RuleTerms(**{name: getattr(rule, name) for name in RULE_FIELDS}) for rule in current_rules(campaign)]
    return campaign_create(organization=organization, terms=terms, rules=rules, actor=actor)


def _record(campaign: Campaign, actor: str, kind: str, data: dict[str, object]) -> None:
    record(
        organization=campaign.organization,
        actor=actor,
        happenings=[Happening(kind, "campaign", campaign.pk, campaign.pk, data)],
    )
