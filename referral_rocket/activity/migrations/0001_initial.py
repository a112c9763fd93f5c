import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import AppendOnly, TenantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Activity",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(max_length=80)),
                ("kind", models.CharField(max_length=60)),
                ("subject_type", models.CharField(max_length=30)),
                ("subject_id", models.UUIDField()),
                ("campaign_id", models.UUIDField(null=True)),
                ("data", models.JSONField(default=dict)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["organization", "-id"], name="activity_newest"),
                    models.Index(fields=["organization", "subject_id", "-id"], name="activity_of_subject"),
                    models.Index(fields=["organization", "campaign_id", "-id"], name="activity_of_campaign"),
                ],
            },
        ),
        TenantTable("activity_activity"),
        AppendOnly("activity_activity"),
    ]
