"""`/campaigns`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from campaigns.models import CampaignStatus, CouponDuration, CouponKind, FulfilmentKind, RewardRule
from campaigns.selectors import campaigns, current_rules
from campaigns.services import campaign_create, campaign_update, rules_proposed, terms_of
from campaigns.terms import CAMPAIGN_FIELDS, CampaignTerms, RuleTerms
from participants.selectors import events
from referral_rocket.accounts.models import Scope
from referral_rocket.api.answers import Answer
from referral_rocket.api.fields import Paging
from referral_rocket.api.operations import operation
from referral_rocket.api.pagination import page
from referral_rocket.api.payloads import campaigns as payloads
from referral_rocket.api.payloads.dry_runs import dry_run as dry_run_payload
from referral_rocket.api.resources.lookup import campaign_of
from referral_rocket.api.shapes.campaigns import CampaignChange, CampaignNew, CampaignShape
from referral_rocket.api.shapes.dry_runs import CampaignDryRunShape, DryRunNew
from referral_rocket.api.views import ApiView
from rewards.dry_run import dry_run

# Where the API nests what the terms have flat.
_NESTED = {
    "fulfilment": {name: f"fulfilment_{name}" for name in ("kind", "method", "connection_id", "endpoint_id")}
} | {
    "base": {name: f"base_{name}" for name in ("tax", "shipping", "discounts")},
    "coupon": {
        name: f"coupon_{name}" for name in ("kind", "percent_off", "duration", "duration_months", "expires_days")
    },
    "auto_issue": {name: f"auto_issue_{name}" for name in ("when", "minimum", "limit_per_run", "approve_above")},
}


class CampaignsView(ApiView):
    @operation(
        "campaigns_list",
        "Campaigns, newest first",
        scope=Scope.READ,
        filters=Paging,
        answers={200: CampaignShape},
        listed=True,
    )
    def get(self, request: Request) -> Answer:
        return page(campaigns(), self.query, payloads.campaigns)

    @operation(
        "campaign_create",
        "Create a campaign",
        takes=CampaignNew,
        answers={201: CampaignShape},
        refuses={422: ["impossible"]},
    )
    def post(self, request: Request) -> Answer:
        made = campaign_create(
            organization=self.organization,
            terms=CampaignTerms(**_terms(self.given)),
            rules=_rules(self.given["rules"]),
            status=self.given.get("status", CampaignStatus.DRAFT),
            actor=self.actor,
        )
        return Answer(201, payloads.campaign(campaign_of(made.pk)))


class CampaignView(ApiView):
    @operation("campaign_get", "One campaign", scope=Scope.READ, answers={200: CampaignShape})
    def get(self, request: Request, campaign_id: UUID) -> Answer:
        return Answer(200, payloads.campaign(campaign_of(campaign_id)))

    @operation(
        "campaign_update",
        "Change a campaign",
        takes=CampaignChange,
        answers={200: CampaignShape},
        refuses={409: ["invalid_transition", "currency_fixed"], 422: ["impossible"]},
        about="`rules` replaces the list: with `rule_id` changed (a new version), without it new, absent ones end. What is "
        "earned already never changes.",
    )
    def patch(self, request: Request, campaign_id: UUID) -> Answer:
        campaign = campaign_of(campaign_id)
        changes = _terms(self.given)
        campaign_update(
            organization=self.organization,
            campaign=campaign,
            actor=self.actor,
            terms=replace(terms_of(campaign), **changes) if changes else None,
            rules=_rules(self.given["rules"]) if "rules" in self.given else None,
            status=self.given.get("status"),
            has_event=events().filter(campaign=campaign).exists(),
        )
        return Answer(200, payloads.campaign(campaign_of(campaign_id)))


class CampaignDryRunView(ApiView):
    @operation(
        "campaign_dry_run",
        "What rules would have given, beside what was given",
        scope=Scope.READ,
        takes=DryRunNew,
        answers={200: CampaignDryRunShape},
        refuses={422: ["too_many_events"]},
        about="Asks the rules about the events on record, in their order; nothing is stored. A refund counts as if nothing "
        "had been issued before it.",
    )
    def post(self, request: Request, campaign_id: UUID) -> Answer:
        campaign = campaign_of(campaign_id)
        rules: Sequence[RewardRule] = current_rules(campaign)
        if "rules" in self.given:
            asked = _rules(self.given["rules"])
            rules = rules_proposed(organization=self.organization, campaign=campaign, rules=asked)
        found = dry_run(organization=self.organization, campaign=campaign, rules=rules, since=self.given["since"])
        return Answer(200, dry_run_payload(found))


def _terms(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given of a campaign's terms, flat as CampaignTerms has it."""
    found = {name: given[name] for name in CAMPAIGN_FIELDS if name in given}
    for nest, names in _NESTED.items():
        found |= {names[name]: value for name, value in given.get(nest, {}).items() if name in names}
    if found.get("fulfilment_kind") == FulfilmentKind.METHOD:
        # Whoever turns to a method has no endpoint any more, named or not.
        found.setdefault("fulfilment_endpoint_id", None)
    # Nor has a coupon of the reward's amount a percentage, or one that is used once, months.
    if found.get("coupon_kind") == CouponKind.AMOUNT:
        found.setdefault("coupon_percent_off", None)
    if found.get("coupon_duration") == CouponDuration.ONCE:
        found.setdefault("coupon_duration_months", None)
    return found


def _rules(given: list[Mapping[str, Any]]) -> list[RuleTerms]:
    return [_rule(each) for each in given]


def _rule(given: Mapping[str, Any]) -> RuleTerms:
    values = dict(given)
    per_month = values.pop("max_amount_per_period", None)
    values["max_amount_per_month"] = None if per_month is None else per_month["amount"]
    if values.get("tiers") is not None:
        values["tiers"] = [dict(tier) for tier in values["tiers"]]
    return RuleTerms(**values)
