import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import TenantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="MutedNotice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("CONNECTION", "A connection stopped working"),
                            ("APPROVAL", "A batch waits for a second person"),
                            ("NOT_REWARDED", "A batch ended with rewards that weren't issued"),
                            ("ENDPOINT", "A webhook endpoint was disabled"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("organization", "user", "kind"), name="muted_once")],
            },
        ),
        migrations.CreateModel(
            name="PendingNotice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("CONNECTION", "A connection stopped working"),
                            ("APPROVAL", "A batch waits for a second person"),
                            ("NOT_REWARDED", "A batch ended with rewards that weren't issued"),
                            ("ENDPOINT", "A webhook endpoint was disabled"),
                        ],
                        max_length=20,
                    ),
                ),
                ("subject_id", models.UUIDField()),
                ("data", models.JSONField(default=dict)),
                ("due_at", models.DateTimeField()),
                (
                    "told",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["due_at"], name="notice_due")],
            },
        ),
        TenantTable("notices_mutednotice"),
        TenantTable("notices_pendingnotice"),
    ]
