from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rewards", "0006_runner")]

    operations = [
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("carried_from__isnull", True), ("external_ref__isnull", False), ("type", "ONE_TIME")
                ),
                fields=("organization", "external_ref"),
                name="reward_external_ref_once",
            ),
        ),
    ]
