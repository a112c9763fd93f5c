"""A dry run of a campaign as it is being edited: what it would have given, before anything is saved."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign
from campaigns.services import rules_proposed
from campaigns.terms import CAMPAIGN_FIELDS, CampaignTerms, RuleTerms, check_campaign, in_words
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from rewards.dry_run import DryRun, TooManyEvents, dry_run

SINCE = (("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "its whole life"))
_USUAL = "90"


@dataclass(frozen=True)
class Trial:
    """`found` is None where nothing could be tried; `problem` then says why."""

    days: str
    found: DryRun | None = None
    readings: Sequence[tuple[str, object]] = ()
    problem: str = ""


def tried(
    organization: Organization,
    campaign: Campaign,
    typed: tuple[CampaignTerms, Sequence[RuleTerms]] | None,
    asked: Mapping[str, str],
    problem: str,
) -> Trial:
    """The campaign with what is typed, over its events of the last days that were asked for. Nothing is stored.

    `problem` says what is wrong where nothing could be read from what is typed.
    """
    days = asked.get("dry_run_days", _USUAL)
    if days not in dict(SINCE):
        days = _USUAL
    if typed is None:
        return Trial(days, problem=problem)
    terms, rules = typed
    as_typed = copy(campaign)
    for name in CAMPAIGN_FIELDS:
        setattr(as_typed, name, getattr(terms, name))
    try:
        check_campaign(terms)
        proposed = rules_proposed(organization=organization, campaign=campaign, rules=rules)
        found = dry_run(
            organization=organization, campaign=as_typed, rules=proposed, since=_since(organization, campaign, days)
        )
    except InvalidCampaign as error:
        return Trial(days, problem=error.errors[0][2])
    except TooManyEvents as error:
        return Trial(days, problem=error.message)
    readings = [
        (in_words(each.rule, found.currency) if each.rule else "A rule that isn't there any more.", each.compared)
        for each in found.rules
    ]
    return Trial(days, found, readings)


def _since(organization: Organization, campaign: Campaign, days: str) -> datetime:
    return clock.now(organization) - timedelta(days=int(days)) if days else campaign.created_at
