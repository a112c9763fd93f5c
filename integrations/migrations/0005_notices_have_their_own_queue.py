from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0004_webhook_wanted"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="endpoint",
            name="endpoints_to_tell_of",
        ),
        migrations.RemoveField(
            model_name="endpoint",
            name="notice_due_at",
        ),
    ]
