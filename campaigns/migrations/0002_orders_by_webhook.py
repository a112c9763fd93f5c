import django.db.models.deletion
from django.db import migrations, models

from referral_rocket.accounts.tenancy import CompositeKey


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0001_initial"),
        ("integrations", "0002_endpoints"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
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
            model_name="campaign",
            name="fulfilment_kind",
            field=models.CharField(
                choices=[("METHOD", "Issued from here"), ("WEBHOOK", "Ordered by webhook")],
                default="METHOD",
                max_length=7,
            ),
        ),
        CompositeKey("campaigns_campaign", "fulfilment_endpoint_id", "integrations_endpoint"),
    ]
