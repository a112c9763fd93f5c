from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0007_reachable"),
        ("rewards", "0010_freezing"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("waiting_for", "RECIPIENT")),
                fields=["organization", "id"],
                name="reward_waits_for_recipient",
            ),
        ),
    ]
