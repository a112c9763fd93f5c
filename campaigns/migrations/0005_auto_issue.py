from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0004_coupons"),
        ("integrations", "0003_signing_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="auto_issue_approve_above",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="auto_issue_limit_per_run",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="auto_issue_minimum",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="campaign",
            name="auto_issue_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="auto_issue_when",
            field=models.CharField(
                choices=[
                    ("OFF", "Never: a person presses Issue Reward"),
                    ("AT_ONCE", "As soon as they are due"),
                    ("DAILY", "Every day"),
                    ("DAY_15", "On the 15th of each month"),
                    ("LAST_DAY", "On the last day of each month"),
                ],
                default="OFF",
                max_length=8,
            ),
        ),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(
                condition=models.Q(("auto_issue_when", "OFF"), _negated=True),
                fields=["id"],
                name="campaign_issues_itself",
            ),
        ),
    ]
