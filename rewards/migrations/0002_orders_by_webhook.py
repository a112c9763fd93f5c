import django.db.models.deletion
from django.db import migrations, models

from referral_rocket.accounts.tenancy import CompositeKey


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0002_orders_by_webhook"),
        ("integrations", "0002_endpoints"),
        ("participants", "0001_initial"),
        ("rewards", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="claim",
            name="started_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="reward",
            name="fulfilment_endpoint",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="integrations.endpoint",
            ),
        ),
        migrations.AlterField(
            model_name="claim",
            name="kind",
            field=models.CharField(
                choices=[("BATCH", "Batch"), ("ORDER", "Order by webhook"), ("CONFIRMATION", "Confirmation")],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="reward",
            name="fulfilment_kind",
            field=models.CharField(
                choices=[("METHOD", "Issued from here"), ("WEBHOOK", "Ordered by webhook")],
                default="METHOD",
                max_length=7,
            ),
        ),
        migrations.AlterField(
            model_name="reward",
            name="waiting_for",
            field=models.CharField(
                choices=[
                    ("HOLDING", "Holding period"),
                    ("REVIEW", "Review"),
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
                condition=models.Q(("waiting_for", "NO_ENDPOINT")),
                fields=["organization", "id"],
                name="reward_without_endpoint",
            ),
        ),
        CompositeKey("rewards_reward", "fulfilment_endpoint_id", "integrations_endpoint"),
    ]
