import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import CompositeKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("inbound", "0004_emptied_bodies"),
        ("integrations", "0004_webhook_wanted"),
    ]

    operations = [
        migrations.CreateModel(
            name="Replay",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("of_status", models.CharField(blank=True, max_length=9)),
                ("of_type", models.CharField(blank=True, max_length=120)),
                ("total", models.PositiveIntegerField(default=0)),
                ("taken", models.PositiveIntegerField(default=0)),
                ("seen", models.UUIDField(null=True)),
                ("actor", models.CharField(max_length=80)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replays",
                        to="integrations.connection",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="replay",
            index=models.Index(fields=["connection", "-id"], name="replay_of_connection"),
        ),
        migrations.AddConstraint(
            model_name="replay",
            constraint=models.UniqueConstraint(
                condition=models.Q(("finished_at__isnull", True)), fields=("connection",), name="replay_one_at_a_time"
            ),
        ),
        migrations.AddField(
            model_name="inboundevent",
            name="replay",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="inbound.replay",
            ),
        ),
        migrations.AddIndex(
            model_name="inboundevent",
            index=models.Index(
                condition=models.Q(("status", "FAILED")), fields=["connection", "-id"], name="inbound_failed"
            ),
        ),
        migrations.AddIndex(
            model_name="inboundevent",
            index=models.Index(
                condition=models.Q(("replay__isnull", False)), fields=["replay", "status"], name="inbound_of_replay"
            ),
        ),
        TenantTable("inbound_replay", referenced=True),
        CompositeKey("inbound_replay", "connection_id", "integrations_connection"),
        CompositeKey("inbound_inboundevent", "replay_id", "inbound_replay"),
    ]
