"""Reading campaigns and their rules."""

from collections.abc import Sequence

from django.db.models import Prefetch, QuerySet

from campaigns.models import Campaign, RewardRule


def in_force() -> QuerySet[RewardRule]:
    return RewardRule.objects.filter(valid_until__isnull=True).order_by("position", "id")


def campaigns() -> QuerySet[Campaign]:
    """Campaigns with the rules in force as `current_rules`: two queries, however many."""
    return Campaign.objects.prefetch_related(Prefetch("rules", queryset=in_force(), to_attr="current_rules"))


def current_rules(campaign: Campaign) -> Sequence[RewardRule]:
    loaded = getattr(campaign, "current_rules", None)
    return list(in_force().filter(campaign=campaign)) if loaded is None else loaded
