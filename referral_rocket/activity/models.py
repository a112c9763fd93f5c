"""What happened, as an append-only record."""

from django.db import models

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.tenancy import TenantModel


class Activity(TenantModel):
    """One thing that happened. Written once, in the transaction of the change; the role has no UPDATE or DELETE."""

    # Every index begins with it; one more costs each row that is written.
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
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


class PendingActivity(TenantModel):
    """The outbox: an activity that the consumers (settings.ACTIVITY_CONSUMERS) haven't been handed yet.

    Inserted with the activity and deleted in the transaction in which the consumers write what they make of it; so
    each is handed on once, whatever is killed or emptied meanwhile. There is no foreign key to the activity: checking
    one takes the right to update the row that it points to, which nobody has.

    `snapshot` is what the world may be told, as it was when it happened. It is null where nothing leaves the house, and
    it lives here rather than in the activity, because a record that nobody can change must hold no personal data.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    activity_id = models.UUIDField()
    snapshot = models.JSONField(null=True)
    available_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["organization", "available_at", "id"], name="pending_activity_next")]
