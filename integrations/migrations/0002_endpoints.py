import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.encryption
import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("integrations", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Endpoint",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("url", models.CharField(max_length=2000)),
                ("description", models.CharField(blank=True, max_length=500)),
                (
                    "status_mode",
                    models.CharField(
                        choices=[
                            ("PENDING", "The system confirms each reward by the API"),
                            ("AVAILABLE", "A 2xx answer is the confirmation"),
                        ],
                        default="PENDING",
                        max_length=9,
                    ),
                ),
                (
                    "event_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("REWARD", "Orders to issue a reward"),
                                ("REWARD_UPDATED", "A reward changed its status"),
                                ("PARTICIPANT", "A participant joined or changed"),
                                ("EVENT", "A qualifying event was recorded or undone"),
                                ("BATCH", "A batch was created or finished"),
                            ],
                            max_length=20,
                        ),
                        size=None,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("ENABLED", "Enabled"), ("DISABLED", "Disabled")], default="ENABLED", max_length=8
                    ),
                ),
                (
                    "disabled_reason",
                    models.CharField(
                        choices=[
                            ("by_person", "Somebody disabled it"),
                            ("gone", "It answered 410 Gone"),
                            ("no_success", "It took nothing for 5 days"),
                        ],
                        max_length=10,
                        null=True,
                    ),
                ),
                ("disabled_at", models.DateTimeField(null=True)),
                ("notice_due_at", models.DateTimeField(null=True)),
                ("secrets", referral_rocket.kit.encryption.EncryptedJSONField(default=dict)),
                ("failing_since", models.DateTimeField(null=True)),
                ("last_success_at", models.DateTimeField(null=True)),
                ("last_failure_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("deleted_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=["organization", "id"],
                        name="endpoints_in_use",
                    ),
                    models.Index(
                        condition=models.Q(("notice_due_at__isnull", False)),
                        fields=["notice_due_at"],
                        name="endpoints_to_tell_of",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("disabled_at__isnull", False),
                                ("disabled_reason__isnull", False),
                                ("status", "DISABLED"),
                            ),
                            models.Q(
                                ("disabled_at__isnull", True), ("disabled_reason__isnull", True), ("status", "ENABLED")
                            ),
                            _connector="OR",
                        ),
                        name="endpoint_disabled_why",
                    )
                ],
            },
        ),
        TenantTable("integrations_endpoint", referenced=True),
    ]
