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
            name="Campaign",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[("DRAFT", "Draft"), ("ACTIVE", "Active"), ("PAUSED", "Paused"), ("ENDED", "Ended")],
                        default="DRAFT",
                        max_length=6,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("qualifying_event", models.CharField(default="purchase", max_length=60)),
                ("landing_url", models.URLField(max_length=2000, null=True)),
                ("attribution_window_days", models.PositiveIntegerField(default=60)),
                ("holding_days", models.PositiveIntegerField(default=0)),
                ("review_above", models.BigIntegerField(null=True)),
                ("budget", models.BigIntegerField(null=True)),
                (
                    "earning_timing",
                    models.CharField(choices=[("IMMEDIATE", "Immediately")], default="IMMEDIATE", max_length=9),
                ),
                (
                    "fulfilment_kind",
                    models.CharField(choices=[("METHOD", "Issued from here")], default="METHOD", max_length=7),
                ),
                ("fulfilment_method", models.CharField(default="MANUAL", max_length=20)),
                ("base_tax", models.BooleanField(default=False)),
                ("base_shipping", models.BooleanField(default=False)),
                ("base_discounts", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "fulfilment_connection",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
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
        ),
        migrations.CreateModel(
            name="CampaignStatusChange",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[("DRAFT", "Draft"), ("ACTIVE", "Active"), ("PAUSED", "Paused"), ("ENDED", "Ended")],
                        max_length=6,
                    ),
                ),
                ("actor", models.CharField(max_length=80)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="status_changes",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RewardRule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("rule_id", models.UUIDField(default=referral_rocket.kit.ids.uuid7)),
                ("version", models.PositiveIntegerField(default=1)),
                ("position", models.PositiveIntegerField(default=0)),
                (
                    "type",
                    models.CharField(
                        choices=[("REFERRAL", "Referral"), ("TRANSACTIONAL", "Transactional"), ("OFFER", "Offer")],
                        max_length=13,
                    ),
                ),
                (
                    "beneficiary",
                    models.CharField(
                        choices=[("REFERRER", "Referrer"), ("REFERRED", "Referred"), ("BUYER", "Buyer")], max_length=8
                    ),
                ),
                ("amount", models.BigIntegerField(null=True)),
                ("rate", models.DecimalField(decimal_places=8, max_digits=12, null=True)),
                ("tiers", models.JSONField(null=True)),
                ("min_purchase", models.BigIntegerField(default=0)),
                ("min_purchase_count", models.PositiveIntegerField(default=1)),
                ("min_total_spent", models.BigIntegerField(null=True)),
                ("every_n_referrals", models.PositiveIntegerField(null=True)),
                (
                    "once_per",
                    models.CharField(
                        choices=[("REFERRED", "Once for each referred person"), ("EVENT", "On each event")],
                        max_length=8,
                    ),
                ),
                ("max_per_reward", models.BigIntegerField(null=True)),
                ("max_rewards_per_participant", models.PositiveIntegerField(null=True)),
                ("max_amount_per_month", models.BigIntegerField(null=True)),
                ("commission_months", models.PositiveIntegerField(null=True)),
                ("when_referrer_rewarded", models.BooleanField(default=False)),
                ("conditions", models.JSONField(null=True)),
                ("valid_from", models.DateTimeField()),
                ("valid_until", models.DateTimeField(null=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rules",
                        to="campaigns.campaign",
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
                "ordering": ["position", "id"],
            },
        ),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(fields=["organization", "-id"], name="campaign_newest"),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("budget__isnull", True), ("budget__gt", 0), _connector="OR"),
                name="campaign_budget_positive",
            ),
        ),
        migrations.AddIndex(
            model_name="campaignstatuschange",
            index=models.Index(fields=["campaign", "at"], name="campaign_status_at"),
        ),
        migrations.AddIndex(
            model_name="rewardrule",
            index=models.Index(fields=["campaign", "position"], name="rule_of_campaign"),
        ),
        migrations.AddConstraint(
            model_name="rewardrule",
            constraint=models.UniqueConstraint(fields=("organization", "rule_id", "version"), name="rule_version_once"),
        ),
        migrations.AddConstraint(
            model_name="rewardrule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("valid_until__isnull", True)),
                fields=("organization", "rule_id"),
                name="rule_one_in_force",
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount__isnull", False), ("rate__isnull", True), ("tiers__isnull", True)),
                    models.Q(("amount__isnull", True), ("rate__isnull", False), ("tiers__isnull", True)),
                    models.Q(("amount__isnull", True), ("rate__isnull", True), ("tiers__isnull", False)),
                    _connector="OR",
                ),
                name="rule_one_way_to_count",
            ),
        ),
        TenantTable("campaigns_campaign", referenced=True),
        TenantTable("campaigns_campaignstatuschange"),
        TenantTable("campaigns_rewardrule", referenced=True),
        CompositeKey("campaigns_campaign", "fulfilment_connection_id", "integrations_connection"),
        CompositeKey("campaigns_campaignstatuschange", "campaign_id", "campaigns_campaign"),
        CompositeKey("campaigns_rewardrule", "campaign_id", "campaigns_campaign"),
    ]
