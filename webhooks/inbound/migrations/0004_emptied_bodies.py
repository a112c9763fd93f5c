from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inbound", "0003_completions"),
    ]

    operations = [
        migrations.AddField(
            model_name="inboundevent",
            name="body_hash",
            field=models.CharField(db_collation="C", max_length=64, null=True),
        ),
    ]
