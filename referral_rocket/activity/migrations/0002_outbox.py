import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("activity", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="PendingActivity",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("activity_id", models.UUIDField()),
                ("snapshot", models.JSONField(null=True)),
                ("available_at", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organization", "available_at", "id"], name="pending_activity_next")],
            },
        ),
        TenantTable("activity_pendingactivity"),
    ]
