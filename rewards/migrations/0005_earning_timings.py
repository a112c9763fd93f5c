import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import CompositeKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0003_earning_timings"),
        ("integrations", "0002_endpoints"),
        ("participants", "0002_reversals"),
        ("rewards", "0004_what_waits_to_be_given_back"),
    ]

    operations = [
        migrations.CreateModel(
            name="StatementPeriod",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("ends_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField()),
                ("customers", models.BigIntegerField(default=0)),
                ("parts", models.BigIntegerField(default=0)),
                ("to_issue", models.BigIntegerField(default=0)),
                ("to_deduct", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="reward",
            name="reward_amount_above_zero",
        ),
        migrations.RemoveConstraint(
            model_name="reward",
            name="reward_amount_not_raised",
        ),
        migrations.AddField(
            model_name="reward",
            name="aggregate",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="parts",
                to="rewards.reward",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="deducts_part",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="part_deductions",
                to="rewards.reward",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="issued_base",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="reward",
            name="occurred_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="reward",
            name="parts_count",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="reward",
            name="period_ends_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="reward",
            name="ready_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="reward",
            name="type",
            field=models.CharField(
                choices=[
                    ("REFERRAL", "Referral"),
                    ("TRANSACTIONAL", "Transactional"),
                    ("OFFER", "Offer"),
                    ("ONE_TIME", "One-time"),
                    ("STATEMENT", "Statement"),
                    ("DELAYED", "A day's total"),
                ],
                max_length=13,
            ),
        ),
        migrations.AlterField(
            model_name="reward",
            name="waiting_for",
            field=models.CharField(
                choices=[
                    ("HOLDING", "Holding period"),
                    ("REVIEW", "Review"),
                    ("AGGREGATION", "Its aggregate"),
                    ("CARRY", "More, up to the smallest amount carried over"),
                    ("RECIPIENT", "Recipient"),
                    ("NO_ENDPOINT", "An endpoint for its order"),
                ],
                max_length=11,
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("waiting_for", "AGGREGATION")),
                fields=["campaign", "ready_at"],
                name="reward_to_aggregate",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("waiting_for", "AGGREGATION")),
                fields=["campaign", "participant", "occurred_at"],
                name="reward_to_aggregate_by_person",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("waiting_for", "CARRY")),
                fields=["campaign", "participant"],
                name="reward_carried_waits",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("aggregate__isnull", False)), fields=["aggregate", "id"], name="reward_parts"
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("deducts_part__isnull", False)),
                fields=["deducts_part"],
                name="reward_part_deductions",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("carried_from__isnull", False)), fields=["carried_from"], name="reward_carried_on"
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.UniqueConstraint(
                condition=models.Q(("period_ends_at__isnull", False), ("type", "STATEMENT")),
                fields=("campaign", "participant", "currency", "period_ends_at"),
                name="reward_one_statement",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["CANCELED", "AGGREGATED"]), ("amount__gt", 0), _connector="OR"),
                name="reward_amount_above_zero",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__lte", models.F("earned_amount")), ("type__in", ("STATEMENT", "DELAYED")), _connector="OR"
                ),
                name="reward_amount_not_raised",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "AGGREGATED"), _negated=True), ("aggregate__isnull", False), _connector="OR"
                ),
                name="reward_aggregated_where",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("waiting_for", "AGGREGATION"), _negated=True),
                    models.Q(("occurred_at__isnull", False), ("ready_at__isnull", False)),
                    _connector="OR",
                ),
                name="reward_ready_when",
            ),
        ),
        migrations.AddField(
            model_name="statementperiod",
            name="campaign",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="periods",
                to="campaigns.campaign",
            ),
        ),
        migrations.AddField(
            model_name="statementperiod",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
            ),
        ),
        migrations.AddConstraint(
            model_name="statementperiod",
            constraint=models.UniqueConstraint(fields=("campaign", "currency", "ends_at"), name="period_once"),
        ),
        CompositeKey("rewards_reward", "aggregate_id", "rewards_reward"),
        CompositeKey("rewards_reward", "deducts_part_id", "rewards_reward"),
        TenantTable("rewards_statementperiod"),
        CompositeKey("rewards_statementperiod", "campaign_id", "campaigns_campaign"),
        migrations.RunSQL("SELECT set_config('app.every_organization', 'on', true)", migrations.RunSQL.noop),
        migrations.RunSQL(
            "UPDATE rewards_reward AS reward SET occurred_at = coalesce("
            "(SELECT event.occurred_at FROM participants_qualifyingevent AS event WHERE event.id = reward.event_id),"
            " reward.earned_at) WHERE reward.status = 'EARNED'",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL("SELECT set_config('app.every_organization', 'off', true)", migrations.RunSQL.noop),
    ]
