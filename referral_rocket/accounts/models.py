"""Who uses the product: users, the organizations (tenants) that they are members of, and API keys."""

import zoneinfo
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.tenancy import TenantModel
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who logs in. The e-mail is kept in lower case, so that it is unique however it is typed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    locale = models.CharField(max_length=20, default="en")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.strip().lower()
        super().save(*args, **kwargs)


class Mode(models.TextChoices):
    LIVE = "LIVE", "Live"
    TEST = "TEST", "Test"


def validate_time_zone(name: str) -> None:
    if name not in clock.time_zones():
        raise ValidationError("Use an IANA time zone such as Europe/Berlin.", code="unknown_time_zone")


class Organization(models.Model):
    """A tenant. Each live one has a test twin (`live_organization` set), with data, keys and a clock of its own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    mode = models.CharField(max_length=4, choices=Mode)
    live_organization = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="test_organization"
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    # What a test clock was advanced by; always 0 for a live organization.
    clock_offset = models.DurationField(default=timedelta)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    # From then on nobody opens it, and nothing reaches it; what is on record stays (ADR 17).
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(mode="LIVE", live_organization__isnull=True, clock_offset=timedelta())
                | models.Q(mode="TEST", live_organization__isnull=False, clock_offset__gte=timedelta()),
                name="organization_test_twin",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_test(self) -> bool:
        return self.mode == Mode.TEST

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)


class Membership(TenantModel):
    """A user's place in a live organization; its test twin goes with it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="one_membership")]


class Invitation(TenantModel):
    """An offer of membership, sent by mail. Only the hash of its token is kept."""

    email = models.EmailField()
    role = models.CharField(max_length=8, choices=Role)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="one_open_invitation",
            )
        ]


class Scope(models.TextChoices):
    READ = "read", "Read"
    WRITE = "write", "Write"
    ISSUE = "issue", "Issue rewards"


class ApiKey(TenantModel):
    """Access for a program. Only SHA-256 of the key is kept (it is 190 random bits, so no slow hash is needed)."""

    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=24)
    key_hash = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=5, choices=Scope))
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
