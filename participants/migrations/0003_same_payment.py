import django.db.models.deletion
from django.db import migrations, models

from referral_rocket.accounts.tenancy import CompositeKey


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0002_orders_by_webhook"),
        ("participants", "0002_reversals"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="reversal",
            name="reversal_of_transaction_once",
        ),
        migrations.AddField(
            model_name="qualifyingevent",
            name="same_as",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="participants.qualifyingevent",
            ),
        ),
        migrations.AddField(
            model_name="reversal",
            name="undone_with",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="participants.qualifyingevent",
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="source",
            field=models.CharField(max_length=20),
        ),
        migrations.AlterField(
            model_name="qualifyingevent",
            name="source",
            field=models.CharField(max_length=20),
        ),
        migrations.AddIndex(
            model_name="qualifyingevent",
            index=models.Index(
                condition=models.Q(("same_as__isnull", False)),
                fields=["campaign", "transaction_id"],
                name="event_recognised_late",
            ),
        ),
        migrations.AddIndex(
            model_name="reversal",
            index=models.Index(
                condition=models.Q(("campaign__isnull", False)),
                fields=["organization", "transaction_id"],
                name="reversal_by_transaction",
            ),
        ),
        migrations.AddConstraint(
            model_name="qualifyingevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("same_as__isnull", True), ("undone_at__isnull", False), _connector="OR"),
                name="event_same_as_is_undone",
            ),
        ),
        migrations.AddConstraint(
            model_name="reversal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("campaign__isnull", False), ("undone_with__isnull", True)),
                fields=("campaign", "transaction_id", "refund_id"),
                name="reversal_of_transaction_once",
            ),
        ),
        CompositeKey("participants_qualifyingevent", "same_as_id", "participants_qualifyingevent"),
        CompositeKey("participants_reversal", "undone_with_id", "participants_qualifyingevent"),
    ]
