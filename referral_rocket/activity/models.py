"""What happened, as an append-only record."""

from django.db import models

from referral_rocket.accounts.tenancy import TenantModel


class Activity(TenantModel):
    """One thing that happened. Written once, in the transaction of the change; the role has no UPDATE or DELETE."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    kind = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=30)
    subject_id = models.UUIDField()
    campaign_id = models.UUIDField(null=True)
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="activity_newest"),
            models.Index(fields=["organization", "subject_id", "-id"], name="activity_of_subject"),
            models.Index(fields=["organization", "campaign_id", "-id"], name="activity_of_campaign"),
        ]
