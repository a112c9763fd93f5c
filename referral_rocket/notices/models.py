"""Mails that are owed to members, and which ones a member doesn't want."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from referral_rocket.accounts.models import User
from referral_rocket.accounts.tenancy import TenantModel
from referral_rocket.notices.kinds import NoticeKind


class PendingNotice(TenantModel):
    """Something that members are still to be told of. Gone once everybody has been.

    `told` are the users who have their mail, so that one that failed in the middle goes on with the others.
    """

    kind = models.CharField(max_length=20, choices=NoticeKind)
    subject_id = models.UUIDField()
    data = models.JSONField(default=dict)
    due_at = models.DateTimeField()
    told: "models.Field[list[uuid.UUID], list[uuid.UUID]]" = ArrayField(models.UUIDField(), default=list)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="notice_due")]


class MutedNotice(TenantModel):
    """A kind of mail that a member doesn't want. It belongs to the live organization and counts for its test twin."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=NoticeKind)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user", "kind"], name="muted_once")]
