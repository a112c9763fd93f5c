"""What a campaign's rewards come to: by status, and by close of its statements."""

from django.db import models

from campaigns.models import Campaign
from referral_rocket.accounts.tenancy import TenantModel
from rewards.states import RewardStatus


class RewardTotals(TenantModel):
    """Number and sums of a campaign's rewards in one status and currency, kept by the door in each transaction.

    The targets of all statuses together are what the campaign has used of its budget.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="totals", db_constraint=False)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=17, choices=RewardStatus)
    count = models.BigIntegerField(default=0)
    amount = models.BigIntegerField(default=0)
    target = models.BigIntegerField(default=0)

    class Meta:
        # No check that they aren't negative: the proposed row of an upsert is checked before it is added.
        constraints = [models.UniqueConstraint(fields=["campaign", "currency", "status"], name="totals_once")]
        indexes = [models.Index(fields=["organization", "status"], name="totals_by_status")]


class StatementPeriod(TenantModel):
    """A close of a campaign's statements, with what it came to then. A period in which nobody had anything has none."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="periods", db_constraint=False)
    currency = models.CharField(max_length=3)
    ends_at = models.DateTimeField()
    closed_at = models.DateTimeField()
    customers = models.BigIntegerField(default=0)
    parts = models.BigIntegerField(default=0)
    to_issue = models.BigIntegerField(default=0)
    to_deduct = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "currency", "ends_at"], name="period_once")]
