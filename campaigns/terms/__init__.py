"""The terms of a campaign and its rules, as they are put in: checked, with defaults filled in, and read out in words."""

from campaigns.terms.campaign import MOST_COUPON_DAYS, MOST_COUPON_MONTHS, check_campaign
from campaigns.terms.fields import CAMPAIGN_FIELDS, RULE_FIELDS, CampaignTerms, RuleTerms, coupon_terms
from campaigns.terms.rules import complete_rules
from campaigns.terms.words import coupon_in_words, in_words, percent, timing_in_words

__all__ = [
    "CAMPAIGN_FIELDS",
    "MOST_COUPON_DAYS",
    "MOST_COUPON_MONTHS",
    "RULE_FIELDS",
    "CampaignTerms",
    "RuleTerms",
    "check_campaign",
    "complete_rules",
    "coupon_in_words",
    "coupon_terms",
    "in_words",
    "percent",
    "timing_in_words",
]
