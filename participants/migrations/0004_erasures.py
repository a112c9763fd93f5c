import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.encryption
import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import CompositeKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("participants", "0003_same_payment"),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("held", referral_rocket.kit.encryption.EncryptedJSONField(null=True)),
                ("actor", models.CharField(max_length=80)),
                ("requested_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ErasureKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", referral_rocket.kit.encryption.EncryptedTextField()),
            ],
        ),
        migrations.AddField(
            model_name="customer",
            name="erased_hash",
            field=models.CharField(db_collation="C", max_length=64, null=True),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("erased_hash__isnull", False)),
                fields=["organization", "erased_hash"],
                name="customer_by_erased_hash",
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="customer",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="erasure",
                to="participants.customer",
            ),
        ),
        migrations.AddField(
            model_name="erasure",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
            ),
        ),
        migrations.AddField(
            model_name="erasurekey",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
            ),
        ),
        migrations.AddIndex(
            model_name="erasure",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", True)),
                fields=["organization", "id"],
                name="erasure_unfinished",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasurekey",
            constraint=models.UniqueConstraint(fields=("organization",), name="erasure_key_once"),
        ),
        TenantTable("participants_erasure"),
        CompositeKey("participants_erasure", "customer_id", "participants_customer"),
        TenantTable("participants_erasurekey"),
    ]
