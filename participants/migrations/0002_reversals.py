import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import CompositeKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0002_orders_by_webhook"),
        ("participants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reversal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("transaction_id", models.CharField(db_collation="C", max_length=200, null=True)),
                ("refund_id", models.CharField(db_collation="C", max_length=200)),
                ("kind", models.CharField(choices=[("REFUND", "Refund"), ("DISPUTE", "Dispute")], max_length=7)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("DONE", "Done"),
                            ("OPEN", "Open"),
                            ("WON", "Won"),
                            ("LOST", "Lost"),
                            ("FAILED", "Failed"),
                        ],
                        max_length=6,
                    ),
                ),
                ("amount", models.BigIntegerField(null=True)),
                ("cumulative", models.BooleanField(default=False)),
                ("occurred_at", models.DateTimeField()),
                ("actor", models.CharField(max_length=80)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="participants.payment",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("payment__isnull", False)),
                        fields=("payment", "refund_id"),
                        name="reversal_of_payment_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("campaign__isnull", False)),
                        fields=("campaign", "transaction_id", "refund_id"),
                        name="reversal_of_transaction_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("campaign__isnull", True), ("payment__isnull", False), ("transaction_id__isnull", True)
                            ),
                            models.Q(
                                ("campaign__isnull", False),
                                ("payment__isnull", True),
                                ("transaction_id__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="reversal_of_one_thing",
                    ),
                ],
            },
        ),
        TenantTable("participants_reversal"),
        CompositeKey("participants_reversal", "payment_id", "participants_payment"),
        CompositeKey("participants_reversal", "campaign_id", "campaigns_campaign"),
    ]
