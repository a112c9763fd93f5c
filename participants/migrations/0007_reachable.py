from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("participants", "0006_imports"),
    ]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="reachable_at",
            field=models.DateTimeField(null=True),
        ),
    ]
