import django.db.models.deletion
from django.db import migrations, models

from referral_rocket.accounts.tenancy import CompositeKey


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0002_orders_by_webhook"),
        ("integrations", "0002_endpoints"),
        ("participants", "0002_reversals"),
        ("rewards", "0002_orders_by_webhook"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="reward",
            name="reward_once_per_event_and_rule",
        ),
        migrations.AddField(
            model_name="reward",
            name="carried_from",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="carried",
                to="rewards.reward",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="deducts",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deductions",
                to="rewards.reward",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="issued_net",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="reward",
            name="pending_reduction",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="reward",
            name="restores",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="restorations",
                to="rewards.reward",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("deducts__isnull", False)), fields=["deducts"], name="reward_deductions"
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("restores__isnull", False)), fields=["restores"], name="reward_restorations"
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("carried_from__isnull", True),
                    ("deducts__isnull", True),
                    ("event__isnull", False),
                    ("restores__isnull", True),
                ),
                fields=("event", "rule"),
                name="reward_once_per_event_and_rule",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("pending_reduction__gt", 0)),
                fields=["organization", "id"],
                name="reward_reduction_waits",
            ),
        ),
        CompositeKey("rewards_reward", "deducts_id", "rewards_reward"),
        CompositeKey("rewards_reward", "restores_id", "rewards_reward"),
        CompositeKey("rewards_reward", "carried_from_id", "rewards_reward"),
    ]
