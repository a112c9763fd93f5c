import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import CompositeKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0005_auto_issue"),
        ("integrations", "0003_signing_keys"),
        ("rewards", "0008_queued"),
    ]

    operations = [
        migrations.CreateModel(
            name="AutomaticRun",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("run_on", models.DateField()),
                ("amount", models.BigIntegerField(default=0)),
                ("number", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="rewardbatch",
            name="approved_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="rewardbatch",
            name="approved_by",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="rewardbatch",
            name="person_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddIndex(
            model_name="rewardbatch",
            index=models.Index(
                condition=models.Q(("status", "AWAITING_APPROVAL")),
                fields=["organization", "-id"],
                name="batch_to_approve",
            ),
        ),
        migrations.AddField(
            model_name="automaticrun",
            name="campaign",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="automatic_runs",
                to="campaigns.campaign",
            ),
        ),
        migrations.AddField(
            model_name="automaticrun",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
            ),
        ),
        migrations.AddConstraint(
            model_name="automaticrun",
            constraint=models.UniqueConstraint(fields=("campaign", "run_on"), name="automatic_run_once"),
        ),
        TenantTable("rewards_automaticrun"),
        CompositeKey("rewards_automaticrun", "campaign_id", "campaigns_campaign"),
    ]
