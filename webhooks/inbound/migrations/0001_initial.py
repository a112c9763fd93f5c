import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import CompositeKey, TenantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("integrations", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="InboundEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider_event_id", models.CharField(db_collation="C", max_length=255)),
                ("event_type", models.CharField(max_length=120)),
                ("livemode", models.BooleanField(null=True)),
                ("body", models.BinaryField()),
                ("received_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("RECEIVED", "Waiting to be worked on"),
                            ("PROCESSED", "Processed"),
                            ("IGNORED", "Ignored"),
                            ("FAILED", "Failed"),
                        ],
                        default="RECEIVED",
                        max_length=9,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField()),
                ("processed_at", models.DateTimeField(null=True)),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="inbound_events",
                        to="integrations.connection",
                    ),
                ),
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
                        condition=models.Q(("status", "RECEIVED")),
                        fields=["next_attempt_at"],
                        name="inbound_to_work_off",
                    ),
                    models.Index(fields=["connection", "-id"], name="inbound_of_connection"),
                    models.Index(fields=["organization", "-id"], name="inbound_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "provider_event_id"), name="inbound_event_once")
                ],
            },
        ),
        TenantTable("inbound_inboundevent"),
        CompositeKey("inbound_inboundevent", "connection_id", "integrations_connection"),
    ]
