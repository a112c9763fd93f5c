from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("outbound", "0002_deliveries_by_type")]

    operations = [
        # What was deleted with its endpoint while it was being sent kept its lease.
        migrations.RunSQL(
            [
                "SELECT set_config('app.every_organization', 'on', true)",
                "UPDATE outbound_delivery SET lease_token = NULL WHERE lease_token IS NOT NULL AND status <> 'PENDING'",
                "SELECT set_config('app.every_organization', 'off', true)",
                "SET CONSTRAINTS ALL IMMEDIATE",
            ],
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("lease_token__isnull", True), ("status", "PENDING"), _connector="OR"),
                name="delivery_leased_while_pending",
            ),
        ),
    ]
