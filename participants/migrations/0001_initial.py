import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import CompositeKey, TenantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0001_initial"),
        ("integrations", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("email", models.EmailField(max_length=320, null=True)),
                ("email_key", models.CharField(db_collation="C", max_length=320)),
                ("name", models.CharField(blank=True, db_collation="C", max_length=200)),
                ("external_id", models.CharField(db_collation="C", max_length=200, null=True)),
                ("created_at", models.DateTimeField()),
                ("erased_at", models.DateTimeField(null=True)),
                ("pseudonym", models.CharField(blank=True, max_length=40)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Participant",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("referral_code", models.CharField(db_collation="C", max_length=32, unique=True)),
                ("attributed_at", models.DateTimeField(null=True)),
                ("joined_at", models.DateTimeField()),
                ("banned_at", models.DateTimeField(null=True)),
                ("ban_reason", models.CharField(blank=True, max_length=500)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="participants",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="participants",
                        to="participants.customer",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "referred_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="referrals",
                        to="participants.participant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Click",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField()),
                ("referrer_host", models.CharField(blank=True, max_length=255)),
                ("by_bot", models.BooleanField(default=False)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "participant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="clicks",
                        to="participants.participant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "source",
                    models.CharField(choices=[("HAND", "By hand"), ("API", "API"), ("STRIPE", "Stripe")], max_length=8),
                ),
                ("transaction_id", models.CharField(db_collation="C", max_length=200, null=True)),
                ("amount", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3, null=True)),
                ("occurred_at", models.DateTimeField(null=True)),
                (
                    "attributed_by",
                    models.CharField(
                        choices=[
                            ("REFERRAL_CODE", "Referral code"),
                            ("PROVIDER_CUSTOMER", "Customer id at the provider"),
                            ("EMAIL", "E-mail"),
                        ],
                        max_length=17,
                        null=True,
                    ),
                ),
                ("email", models.EmailField(max_length=320, null=True)),
                ("provider_customer_id", models.CharField(db_collation="C", max_length=200, null=True)),
                ("referral_code", models.CharField(db_collation="C", max_length=32, null=True)),
                ("country", models.CharField(max_length=2, null=True)),
                ("tax", models.BigIntegerField(default=0)),
                ("shipping", models.BigIntegerField(default=0)),
                ("discount", models.BigIntegerField(default=0)),
                ("metadata", models.JSONField(default=dict)),
                ("items", models.JSONField(default=list)),
                ("created_at", models.DateTimeField()),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="integrations.connection",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="participants.customer",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "same_as",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="participants.payment",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PaymentReference",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=30)),
                ("value", models.CharField(db_collation="C", max_length=200)),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="integrations.connection",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="references",
                        to="participants.payment",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProviderCustomer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(max_length=20)),
                ("provider_id", models.CharField(db_collation="C", max_length=200)),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="provider_customers",
                        to="participants.customer",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="QualifyingEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "source",
                    models.CharField(choices=[("HAND", "By hand"), ("API", "API"), ("STRIPE", "Stripe")], max_length=8),
                ),
                ("type", models.CharField(max_length=60)),
                ("transaction_id", models.CharField(db_collation="C", max_length=200, null=True)),
                ("amount", models.BigIntegerField(null=True)),
                ("net_amount", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3, null=True)),
                ("occurred_at", models.DateTimeField()),
                ("country", models.CharField(max_length=2, null=True)),
                ("tax", models.BigIntegerField(default=0)),
                ("shipping", models.BigIntegerField(default=0)),
                ("discount", models.BigIntegerField(default=0)),
                ("metadata", models.JSONField(default=dict)),
                ("items", models.JSONField(default=list)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("QUALIFIED", "Qualified"), ("NOT_QUALIFIED", "Not qualified")],
                        default="NOT_QUALIFIED",
                        max_length=13,
                    ),
                ),
                ("differs", models.BooleanField(default=False)),
                ("repeats", models.PositiveIntegerField(default=0)),
                ("actor", models.CharField(max_length=80)),
                ("created_at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "participant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="participants.participant",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="participants.payment",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(fields=["organization", "name"], name="customer_by_name"),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.UniqueConstraint(fields=("organization", "email_key"), name="customer_email_once"),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id__isnull", False)),
                fields=("organization", "external_id"),
                name="customer_external_id_once",
            ),
        ),
        migrations.AddIndex(
            model_name="participant",
            index=models.Index(fields=["organization", "-id"], name="participant_newest"),
        ),
        migrations.AddIndex(
            model_name="participant",
            index=models.Index(fields=["campaign", "-id"], name="participant_of_campaign"),
        ),
        migrations.AddIndex(
            model_name="participant",
            index=models.Index(fields=["referred_by", "-id"], name="participant_referrals"),
        ),
        migrations.AddConstraint(
            model_name="participant",
            constraint=models.UniqueConstraint(fields=("campaign", "customer"), name="participant_once"),
        ),
        migrations.AddConstraint(
            model_name="participant",
            constraint=models.CheckConstraint(
                condition=models.Q(("referred_by", models.F("id")), _negated=True), name="participant_not_own_referrer"
            ),
        ),
        migrations.AddIndex(
            model_name="click",
            index=models.Index(fields=["participant", "-at"], name="click_of_participant"),
        ),
        migrations.AddIndex(
            model_name="click",
            index=models.Index(fields=["organization", "at"], name="click_at"),
        ),
        migrations.AddIndex(
            model_name="click",
            index=models.Index(fields=["campaign", "at"], name="click_of_campaign"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                fields=["connection", "provider_customer_id", "occurred_at"], name="payment_of_provider_customer"
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["customer", "-occurred_at"], name="payment_of_customer"),
        ),
        migrations.AddIndex(
            model_name="paymentreference",
            index=models.Index(fields=["payment"], name="references_of_payment"),
        ),
        migrations.AddIndex(
            model_name="paymentreference",
            index=models.Index(fields=["organization", "value"], name="payment_reference_value"),
        ),
        migrations.AddConstraint(
            model_name="paymentreference",
            constraint=models.UniqueConstraint(fields=("connection", "value"), name="payment_reference_once"),
        ),
        migrations.AddConstraint(
            model_name="providercustomer",
            constraint=models.UniqueConstraint(
                fields=("organization", "provider", "provider_id"), name="provider_customer_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="providercustomer",
            constraint=models.UniqueConstraint(fields=("customer", "provider"), name="one_id_per_provider"),
        ),
        migrations.AddIndex(
            model_name="qualifyingevent",
            index=models.Index(fields=["organization", "-id"], name="event_newest"),
        ),
        migrations.AddIndex(
            model_name="qualifyingevent",
            index=models.Index(fields=["campaign", "-id"], name="event_of_campaign"),
        ),
        migrations.AddIndex(
            model_name="qualifyingevent",
            index=models.Index(fields=["participant", "-occurred_at"], name="event_of_participant"),
        ),
        migrations.AddIndex(
            model_name="qualifyingevent",
            index=models.Index(fields=["organization", "transaction_id"], name="event_by_transaction"),
        ),
        migrations.AddIndex(
            model_name="qualifyingevent",
            index=models.Index(
                condition=models.Q(("payment__isnull", False)), fields=["payment"], name="event_of_payment"
            ),
        ),
        migrations.AddConstraint(
            model_name="qualifyingevent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("transaction_id__isnull", False), ("undone_at__isnull", True)),
                fields=("campaign", "transaction_id"),
                name="event_transaction_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="qualifyingevent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("transaction_id__isnull", True), ("undone_at__isnull", True)),
                fields=("campaign", "participant", "type"),
                name="event_without_transaction_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="qualifyingevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__isnull", True), ("transaction_id__isnull", False), _connector="OR"),
                name="event_amount_has_transaction",
            ),
        ),
        TenantTable("participants_customer", referenced=True),
        TenantTable("participants_providercustomer"),
        TenantTable("participants_participant", referenced=True),
        TenantTable("participants_click"),
        TenantTable("participants_payment", referenced=True),
        TenantTable("participants_paymentreference"),
        TenantTable("participants_qualifyingevent", referenced=True),
        CompositeKey("participants_providercustomer", "customer_id", "participants_customer"),
        CompositeKey("participants_participant", "customer_id", "participants_customer"),
        CompositeKey("participants_participant", "campaign_id", "campaigns_campaign"),
        CompositeKey("participants_participant", "referred_by_id", "participants_participant"),
        CompositeKey("participants_click", "campaign_id", "campaigns_campaign"),
        CompositeKey("participants_click", "participant_id", "participants_participant"),
        CompositeKey("participants_payment", "connection_id", "integrations_connection"),
        CompositeKey("participants_payment", "customer_id", "participants_customer"),
        CompositeKey("participants_payment", "same_as_id", "participants_payment"),
        CompositeKey("participants_paymentreference", "connection_id", "integrations_connection"),
        CompositeKey("participants_paymentreference", "payment_id", "participants_payment"),
        CompositeKey("participants_qualifyingevent", "campaign_id", "campaigns_campaign"),
        CompositeKey("participants_qualifyingevent", "participant_id", "participants_participant"),
        CompositeKey("participants_qualifyingevent", "payment_id", "participants_payment"),
    ]
