from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("integrations", "0002_endpoints"),
        ("outbound", "0001_initial"),
        ("rewards", "0004_what_waits_to_be_given_back"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["endpoint", "event_type", "-id"], name="delivery_by_type"),
        ),
    ]
