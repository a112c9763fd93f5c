import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import CompositeKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0002_orders_by_webhook"),
        ("integrations", "0002_endpoints"),
        ("participants", "0002_reversals"),
        ("rewards", "0005_earning_timings"),
    ]

    operations = [
        migrations.CreateModel(
            name="Netting",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("settled_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveIndex(
            model_name="batchitem",
            name="item_to_issue",
        ),
        migrations.AddField(
            model_name="batchitem",
            name="netted_amount",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="issueattempt",
            name="group_key",
            field=models.CharField(max_length=36, null=True),
        ),
        migrations.AddField(
            model_name="reward",
            name="netted_amount",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="reward",
            name="settled_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="settles",
                to="rewards.reward",
            ),
        ),
        migrations.AddField(
            model_name="rewardbatch",
            name="file_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="rewardbatch",
            name="takes_back",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="batchitem",
            name="next_attempt_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="claim",
            name="kind",
            field=models.CharField(
                choices=[
                    ("BATCH", "Batch"),
                    ("ORDER", "Order by webhook"),
                    ("CONFIRMATION", "Confirmation"),
                    ("NETTING", "Netting"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="issueattempt",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("STARTED", "Started"),
                    ("SUCCEEDED", "Succeeded"),
                    ("REJECTED", "Rejected"),
                    ("RETRYABLE", "Not done, will be retried"),
                    ("UNKNOWN", "Unknown"),
                    ("NOT_DONE", "Not done"),
                    ("RETURNED", "The money came back"),
                ],
                default="STARTED",
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="rewardbatch",
            name="status",
            field=models.CharField(
                choices=[
                    ("AWAITING_APPROVAL", "Waiting for approval"),
                    ("QUEUED", "Queued"),
                    ("RUNNING", "Running"),
                    ("FINISHED", "Finished"),
                    ("CANCELED", "Canceled"),
                ],
                default="QUEUED",
                max_length=17,
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("next_attempt_at__isnull", False)),
                fields=["connection", "next_attempt_at", "id"],
                name="item_of_lane",
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("next_attempt_at__isnull", False)),
                fields=["next_attempt_at"],
                name="item_to_deal_with",
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("provider_reference__isnull", False)),
                fields=["connection", "provider_reference"],
                name="item_by_reference",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("status", "PENDING_DEDUCTION")),
                fields=["participant", "campaign"],
                name="reward_to_deduct",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("settled_by__isnull", False)), fields=["settled_by"], name="reward_settled"
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(("netted_amount__gte", 0)), name="reward_netted_positive"
            ),
        ),
        migrations.AddField(
            model_name="netting",
            name="claim",
            field=models.ForeignKey(
                db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="rewards.claim"
            ),
        ),
        migrations.AddField(
            model_name="netting",
            name="deduction",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="nettings",
                to="rewards.reward",
            ),
        ),
        migrations.AddField(
            model_name="netting",
            name="item",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="nettings",
                to="rewards.batchitem",
            ),
        ),
        migrations.AddField(
            model_name="netting",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
            ),
        ),
        migrations.AddIndex(
            model_name="netting",
            index=models.Index(fields=["deduction"], name="netting_of_deduction"),
        ),
        migrations.AddConstraint(
            model_name="netting",
            constraint=models.UniqueConstraint(fields=("item", "deduction"), name="netting_once"),
        ),
        migrations.AddConstraint(
            model_name="netting",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="netting_amount_positive"),
        ),
        TenantTable("rewards_netting"),
        CompositeKey("rewards_netting", "item_id", "rewards_batchitem"),
        CompositeKey("rewards_netting", "deduction_id", "rewards_reward"),
        CompositeKey("rewards_netting", "claim_id", "rewards_claim"),
        CompositeKey("rewards_reward", "settled_by_id", "rewards_reward"),
        # From now on null says that the runner has nothing more to do with an item.
        migrations.RunSQL(
            [
                "SELECT set_config('app.every_organization', 'on', true)",
                "UPDATE rewards_batchitem SET next_attempt_at = NULL WHERE outcome NOT IN ('QUEUED', 'UNKNOWN')",
                "SELECT set_config('app.every_organization', 'off', true)",
            ],
            [
                "SELECT set_config('app.every_organization', 'on', true)",
                "UPDATE rewards_batchitem SET next_attempt_at = updated_at WHERE next_attempt_at IS NULL",
                "SELECT set_config('app.every_organization', 'off', true)",
            ],
        ),
    ]
