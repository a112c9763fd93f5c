from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0002_orders_by_webhook"),
        ("integrations", "0002_endpoints"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="carry_minimum",
            field=models.BigIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="campaign",
            name="closed_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL("SELECT set_config('app.every_organization', 'on', true)", migrations.RunSQL.noop),
        migrations.RunSQL("UPDATE campaigns_campaign SET closed_until = created_at", migrations.RunSQL.noop),
        migrations.RunSQL("SELECT set_config('app.every_organization', 'off', true)", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="campaign",
            name="closed_until",
            field=models.DateTimeField(),
        ),
        migrations.AddField(
            model_name="campaign",
            name="delay_days",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="remainder",
            field=models.CharField(
                choices=[("DROP", "Dropped, on record"), ("CARRY", "Carried over")], default="DROP", max_length=5
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="statement_day",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="campaign",
            name="earning_timing",
            field=models.CharField(
                choices=[("IMMEDIATE", "Immediately"), ("STATEMENT", "By statement"), ("DELAYED", "Some days later")],
                default="IMMEDIATE",
                max_length=9,
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("statement_day__isnull", True), ("statement_day__range", (1, 31)), _connector="OR"),
                name="campaign_statement_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("earning_timing", "DELAYED"), _negated=True),
                    ("delay_days__isnull", False),
                    _connector="OR",
                ),
                name="campaign_delay",
            ),
        ),
    ]
