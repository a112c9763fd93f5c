"""What the API remembers of its own: answers to requests that carried an Idempotency-Key."""

from django.db import models

from referral_rocket.accounts.tenancy import TenantModel


class IdempotentRequest(TenantModel):
    """A request and its answer, written in the transaction of what the request did; replayed for 24 hours."""

    key = models.CharField(max_length=255, db_collation="C")
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    content_type = models.CharField(max_length=60)
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_request_age")]


class ApiRequest(TenantModel):
    """One line of the API log that the dashboard shows: which key asked what, and how it was answered."""

    at = models.DateTimeField()
    request_id = models.CharField(max_length=64)
    key = models.ForeignKey("accounts.ApiKey", on_delete=models.PROTECT, related_name="+", db_constraint=False)
    method = models.CharField(max_length=7)
    path = models.CharField(max_length=300)
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=60, blank=True)
    duration_ms = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["organization", "-id"], name="api_request_newest")]
