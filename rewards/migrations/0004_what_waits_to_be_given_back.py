from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rewards", "0003_reversals")]

    operations = [
        migrations.RemoveIndex(model_name="reward", name="reward_reduction_waits"),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("pending_reduction", 0), _negated=True),
                fields=["organization", "id"],
                name="reward_reduction_waits",
            ),
        ),
    ]
