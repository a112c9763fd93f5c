import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.encryption
import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import TenantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Connection",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(max_length=20)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("ACTIVE", "Connected"),
                            ("NEEDS_ATTENTION", "Needs attention"),
                            ("DISCONNECTED", "Disconnected"),
                        ],
                        default="ACTIVE",
                        max_length=15,
                    ),
                ),
                ("attention_reason", models.TextField(blank=True)),
                ("credentials", referral_rocket.kit.encryption.EncryptedJSONField(default=dict)),
                ("webhook_secrets", referral_rocket.kit.encryption.EncryptedJSONField(default=dict)),
                ("settings", models.JSONField(default=dict)),
                ("account", models.CharField(blank=True, max_length=300)),
                ("account_currency", models.CharField(blank=True, max_length=3)),
                ("last_event_at", models.DateTimeField(null=True)),
                ("check_due_at", models.DateTimeField(null=True)),
                ("check_attempts", models.PositiveSmallIntegerField(default=0)),
                ("check_message", models.TextField(blank=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("lease_token", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("disconnected_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["organization", "provider", "status"], name="connections_of_provider"),
                    models.Index(
                        condition=models.Q(("check_due_at__isnull", False)),
                        fields=["check_due_at"],
                        name="connections_to_check",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("disconnected_at__isnull", False), ("status", "DISCONNECTED")),
                            models.Q(
                                models.Q(("status", "DISCONNECTED"), _negated=True), ("disconnected_at__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="connection_disconnected_at",
                    )
                ],
            },
        ),
        TenantTable("integrations_connection", referenced=True),
    ]
