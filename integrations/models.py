"""An organization's links to providers, and the places where it takes our webhooks."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from integrations.registry import PROVIDERS
from referral_rocket.accounts.tenancy import TenantModel
from referral_rocket.kit.encryption import EncryptedJSONField
from referral_rocket.kit.ids import uuid7


class ConnectionStatus(models.TextChoices):
    ACTIVE = "ACTIVE", "Connected"
    NEEDS_ATTENTION = "NEEDS_ATTENTION", "Needs attention"
    DISCONNECTED = "DISCONNECTED", "Disconnected"


class Connection(TenantModel):
    """One account at a provider. Credentials and webhook secrets are encrypted, and shown nowhere.

    `webhook_secrets` is `{"current", "previous", "previous_until"}`: while a secret is being rotated both are accepted,
    until the time given (RFC 3339). A check of the credentials is queued here: `check_due_at` says from when on, and a
    worker that asks moves it ahead by its lease. The lease in `leased_until` is another's: who issues rewards through
    the connection.
    """

    provider = models.CharField(max_length=20)
    status = models.CharField(max_length=15, choices=ConnectionStatus, default=ConnectionStatus.ACTIVE)
    attention_reason = models.TextField(blank=True)
    credentials = EncryptedJSONField(default=dict)
    webhook_secrets = EncryptedJSONField(default=dict)
    settings = models.JSONField(default=dict)
    # What the provider calls the account, once it was asked.
    account = models.CharField(max_length=300, blank=True)
    account_currency = models.CharField(max_length=3, blank=True)
    last_event_at = models.DateTimeField(null=True)
    check_due_at = models.DateTimeField(null=True)
    check_attempts = models.PositiveSmallIntegerField(default=0)
    check_message = models.TextField(blank=True)
    checked_at = models.DateTimeField(null=True)
    # A person asked us to have the provider send its webhooks here: the next check does it.
    webhook_wanted = models.BooleanField(default=False)
    leased_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    disconnected_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "provider", "status"], name="connections_of_provider"),
            models.Index(
                fields=["check_due_at"], condition=models.Q(check_due_at__isnull=False), name="connections_to_check"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="DISCONNECTED", disconnected_at__isnull=False)
                | (~models.Q(status="DISCONNECTED") & models.Q(disconnected_at__isnull=True)),
                name="connection_disconnected_at",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider_name} ({self.account})" if self.account else self.provider_name

    @property
    def provider_name(self) -> str:
        return PROVIDERS[self.provider].name if self.provider in PROVIDERS else self.provider

    @property
    def is_active(self) -> bool:
        return self.status == ConnectionStatus.ACTIVE


class StatusMode(models.TextChoices):
    PENDING = "PENDING", "The system confirms each reward by the API"
    AVAILABLE = "AVAILABLE", "A 2xx answer is the confirmation"


class EventType(models.TextChoices):
    REWARD = "REWARD", "Orders to issue a reward"
    REWARD_UPDATED = "REWARD_UPDATED", "A reward changed its status"
    PARTICIPANT = "PARTICIPANT", "A participant joined or changed"
    EVENT = "EVENT", "A qualifying event was recorded or undone"
    BATCH = "BATCH", "A batch was created or finished"


class EndpointStatus(models.TextChoices):
    ENABLED = "ENABLED", "Enabled"
    DISABLED = "DISABLED", "Disabled"


class DisabledReason(models.TextChoices):
    BY_PERSON = "by_person", "Somebody disabled it"
    GONE = "gone", "It answered 410 Gone"
    NO_SUCCESS = "no_success", "It took nothing for 5 days"


class Endpoint(TenantModel):
    """Where a tenant takes our webhooks.

    `secrets` is `{"current", "previous", "previous_until"}`: while a secret is being rotated we sign with both, until
    the time given (RFC 3339). `failing_since` is the first failure after the last success, in wall time. A deleted
    endpoint keeps its row, because its deliveries are on record.
    """

    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=500, blank=True)
    status_mode = models.CharField(max_length=9, choices=StatusMode, default=StatusMode.PENDING)
    event_types = ArrayField(models.CharField(max_length=20, choices=EventType))
    status = models.CharField(max_length=8, choices=EndpointStatus, default=EndpointStatus.ENABLED)
    disabled_reason = models.CharField(max_length=10, choices=DisabledReason, null=True)
    disabled_at = models.DateTimeField(null=True)
    secrets = EncryptedJSONField(default=dict)
    failing_since = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    last_failure_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["organization", "id"], condition=models.Q(deleted_at__isnull=True), name="endpoints_in_use"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="DISABLED", disabled_at__isnull=False, disabled_reason__isnull=False)
                | models.Q(status="ENABLED", disabled_at__isnull=True, disabled_reason__isnull=True),
                name="endpoint_disabled_why",
            )
        ]

    def __str__(self) -> str:
        return self.description or self.url


class SigningKey(models.Model):
    """A key that a provider signs webhooks with, by its address. It belongs to no organization: a provider's key is the
    same for all. `key` is null while it has to be fetched; nothing is fetched while `next_attempt_at` is null.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    url = models.CharField(max_length=300, unique=True)
    provider = models.CharField(max_length=20)
    key = models.BinaryField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    wanted_at = models.DateTimeField(auto_now_add=True)
    fetched_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="signing_keys_to_fetch",
            )
        ]

    def __str__(self) -> str:
        return self.url
