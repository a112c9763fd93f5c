"""Mails in which a participant is asked for what is missing before a reward can be sent."""

from django.db import models
from django.db.models import Q

from referral_rocket.accounts.tenancy import TenantModel


class RecipientRequest(TenantModel):
    """One mail to one person about the rewards that wait for something of theirs.

    `code` and `provider` say what is missing; `reply_to` is the member who asked, and whom the person answers. The queue
    of mails is `next_attempt_at`. `sent_at` is set before the mail is handed over: killed in between, it isn't sent
    again. `dropped` says why one wasn't sent after all.
    """

    customer = models.ForeignKey(
        "participants.Customer", on_delete=models.PROTECT, related_name="recipient_requests", db_constraint=False
    )
    rewards = models.JSONField(default=list)
    code = models.CharField(max_length=40)
    provider = models.CharField(max_length=20)
    reply_to = models.EmailField(max_length=320)
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    dropped = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["customer", "-created_at"], name="recipient_asked"),
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="recipient_to_ask"
            ),
        ]
