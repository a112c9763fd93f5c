import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.encryption
import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("participants", "0004_erasures"),
    ]

    operations = [
        migrations.CreateModel(
            name="Forgetting",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("marks", referral_rocket.kit.encryption.EncryptedJSONField(null=True)),
                ("events_seen", models.UUIDField(null=True)),
                ("payments_seen", models.UUIDField(null=True)),
                ("emptied", models.PositiveIntegerField(default=0)),
                ("requested_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="forgetting",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", True)), fields=["requested_at"], name="forgetting_unfinished"
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("customer__isnull", True), ("email__isnull", False)),
                fields=["organization", "id"],
                name="payment_of_nobody",
            ),
        ),
        migrations.AddField(
            model_name="reversal",
            name="currency",
            field=models.CharField(max_length=3, null=True),
        ),
        TenantTable("participants_forgetting"),
    ]
