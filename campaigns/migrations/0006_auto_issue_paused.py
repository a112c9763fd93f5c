from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0005_auto_issue"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="auto_issue_paused_at",
            field=models.DateTimeField(null=True),
        ),
    ]
