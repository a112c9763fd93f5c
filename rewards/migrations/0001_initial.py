import django.db.models.deletion
from django.db import migrations, models

import referral_rocket.kit.ids
from referral_rocket.accounts.tenancy import AppendOnly, CompositeKey, TenantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("campaigns", "0001_initial"),
        ("integrations", "0001_initial"),
        ("participants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Claim",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("BATCH", "Batch"), ("CONFIRMATION", "Confirmation")], max_length=12),
                ),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BatchItem",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("QUEUED", "Queued"),
                            ("SUCCEEDED", "Rewarded"),
                            ("FAILED", "Not rewarded"),
                            ("UNKNOWN", "Outcome unknown"),
                            ("WAITING", "Waiting"),
                        ],
                        default="QUEUED",
                        max_length=9,
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=40)),
                ("message", models.CharField(blank=True, max_length=500)),
                ("provider_reference", models.CharField(max_length=255, null=True)),
                ("in_doubt", models.BooleanField(default=False)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField()),
                ("leased_until", models.DateTimeField(null=True)),
                ("lease_token", models.UUIDField(null=True)),
                ("updated_at", models.DateTimeField()),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
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
                    "claim",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.claim",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Reward",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "beneficiary",
                    models.CharField(
                        choices=[("REFERRER", "Referrer"), ("REFERRED", "Referred"), ("BUYER", "Buyer")],
                        max_length=8,
                        null=True,
                    ),
                ),
                ("transaction_id", models.CharField(db_collation="C", max_length=200, null=True)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("REFERRAL", "Referral"),
                            ("TRANSACTIONAL", "Transactional"),
                            ("OFFER", "Offer"),
                            ("ONE_TIME", "One-time"),
                        ],
                        max_length=13,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("EARNED", "Earned"),
                            ("PENDING", "Due"),
                            ("AVAILABLE", "Issued"),
                            ("PENDING_DEDUCTION", "Deduction due"),
                            ("DEDUCTED", "Deducted"),
                            ("AGGREGATED", "In an aggregate"),
                            ("CANCELED", "Canceled"),
                        ],
                        max_length=17,
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("earned_amount", models.BigIntegerField()),
                ("target_amount", models.BigIntegerField()),
                ("uncut_amount", models.BigIntegerField(null=True)),
                ("remainder_amount", models.BigIntegerField(default=0)),
                ("refunded_amount", models.BigIntegerField(default=0)),
                ("currency", models.CharField(max_length=3)),
                ("reason", models.CharField(max_length=500, null=True)),
                ("external_ref", models.CharField(max_length=200, null=True)),
                (
                    "waiting_for",
                    models.CharField(
                        choices=[("HOLDING", "Holding period"), ("REVIEW", "Review"), ("RECIPIENT", "Recipient")],
                        max_length=11,
                        null=True,
                    ),
                ),
                (
                    "fulfilment_kind",
                    models.CharField(choices=[("METHOD", "Issued from here")], default="METHOD", max_length=7),
                ),
                ("fulfilment_method", models.CharField(default="MANUAL", max_length=20)),
                ("method", models.CharField(max_length=20, null=True)),
                ("provider_reference", models.CharField(max_length=255, null=True)),
                ("issue_number", models.PositiveIntegerField(default=1)),
                ("earned_at", models.DateTimeField()),
                ("releases_at", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField(null=True)),
                ("issued_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rewards",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rewards",
                        to="participants.customer",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rewards",
                        to="participants.qualifyingevent",
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
                        related_name="rewards",
                        to="participants.participant",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rewards",
                        to="campaigns.rewardrule",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="IssueAttempt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("idempotency_key", models.CharField(max_length=255)),
                ("recipient_provider_id", models.CharField(max_length=200, null=True)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("STARTED", "Started"),
                            ("SUCCEEDED", "Succeeded"),
                            ("REJECTED", "Rejected"),
                            ("RETRYABLE", "Not done, will be retried"),
                            ("UNKNOWN", "Unknown"),
                            ("NOT_DONE", "Looked up: not done"),
                        ],
                        default="STARTED",
                        max_length=9,
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=40)),
                ("message", models.CharField(blank=True, max_length=500)),
                ("provider_reference", models.CharField(max_length=255, null=True)),
                ("exchanges", models.JSONField(default=list)),
                (
                    "item",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="rewards.batchitem",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "reward",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="rewards.reward",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[("REWARDED", "Rewarded"), ("NOT_REWARDED", "Not rewarded")], max_length=12
                    ),
                ),
                ("code", models.CharField(max_length=40)),
                ("message", models.CharField(max_length=500)),
                ("uncut_amount", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="participants.qualifyingevent",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="campaigns.rewardrule",
                    ),
                ),
                (
                    "reward",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="rewards.reward",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="claim",
            name="reward",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="claims",
                to="rewards.reward",
            ),
        ),
        migrations.AddField(
            model_name="batchitem",
            name="reward",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="batch_items",
                to="rewards.reward",
            ),
        ),
        migrations.CreateModel(
            name="RewardBatch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("method", models.CharField(max_length=20)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("QUEUED", "Queued"),
                            ("RUNNING", "Running"),
                            ("FINISHED", "Finished"),
                            ("CANCELED", "Canceled"),
                        ],
                        default="QUEUED",
                        max_length=8,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500)),
                ("reference", models.CharField(blank=True, max_length=200)),
                ("actor", models.CharField(max_length=80)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
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
            ],
        ),
        migrations.AddField(
            model_name="batchitem",
            name="batch",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="items",
                to="rewards.rewardbatch",
            ),
        ),
        migrations.CreateModel(
            name="RewardTotals",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("EARNED", "Earned"),
                            ("PENDING", "Due"),
                            ("AVAILABLE", "Issued"),
                            ("PENDING_DEDUCTION", "Deduction due"),
                            ("DEDUCTED", "Deducted"),
                            ("AGGREGATED", "In an aggregate"),
                            ("CANCELED", "Canceled"),
                        ],
                        max_length=17,
                    ),
                ),
                ("count", models.BigIntegerField(default=0)),
                ("amount", models.BigIntegerField(default=0)),
                ("target", models.BigIntegerField(default=0)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="totals",
                        to="campaigns.campaign",
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
            name="RewardTransition",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=referral_rocket.kit.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "from_status",
                    models.CharField(
                        choices=[
                            ("EARNED", "Earned"),
                            ("PENDING", "Due"),
                            ("AVAILABLE", "Issued"),
                            ("PENDING_DEDUCTION", "Deduction due"),
                            ("DEDUCTED", "Deducted"),
                            ("AGGREGATED", "In an aggregate"),
                            ("CANCELED", "Canceled"),
                        ],
                        max_length=17,
                        null=True,
                    ),
                ),
                (
                    "to_status",
                    models.CharField(
                        choices=[
                            ("EARNED", "Earned"),
                            ("PENDING", "Due"),
                            ("AVAILABLE", "Issued"),
                            ("PENDING_DEDUCTION", "Deduction due"),
                            ("DEDUCTED", "Deducted"),
                            ("AGGREGATED", "In an aggregate"),
                            ("CANCELED", "Canceled"),
                        ],
                        max_length=17,
                    ),
                ),
                ("actor", models.CharField(max_length=80)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("amount_before", models.BigIntegerField()),
                ("amount_after", models.BigIntegerField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "reward",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transitions",
                        to="rewards.reward",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(fields=["organization", "-id"], name="reward_newest"),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(fields=["organization", "status", "-id"], name="reward_by_status"),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(fields=["campaign", "status", "-id"], name="reward_of_campaign"),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(fields=["participant", "-id"], name="reward_of_participant"),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(fields=["customer", "-id"], name="reward_of_customer"),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(fields=["organization", "transaction_id"], name="reward_by_transaction"),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(fields=["event"], name="reward_of_event"),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("status", "PENDING")),
                fields=["campaign", "participant", "due_at"],
                name="reward_due",
            ),
        ),
        migrations.AddIndex(
            model_name="reward",
            index=models.Index(
                condition=models.Q(("status", "EARNED")), fields=["releases_at"], name="reward_to_release"
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.UniqueConstraint(
                condition=models.Q(("event__isnull", False)),
                fields=("event", "rule"),
                name="reward_once_per_event_and_rule",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", 0), ("earned_amount__gt", 0)), name="reward_amounts_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(("status", "CANCELED"), ("amount__gt", 0), _connector="OR"),
                name="reward_amount_above_zero",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__lte", models.F("earned_amount"))), name="reward_amount_not_raised"
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "AVAILABLE"), _negated=True), ("issued_at__isnull", False), _connector="OR"
                ),
                name="reward_issued_when",
            ),
        ),
        migrations.AddIndex(
            model_name="issueattempt",
            index=models.Index(fields=["item", "id"], name="attempt_of_item"),
        ),
        migrations.AddIndex(
            model_name="issueattempt",
            index=models.Index(fields=["reward", "id"], name="attempt_of_reward"),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(fields=("event", "rule"), name="decision_once"),
        ),
        migrations.AddConstraint(
            model_name="claim",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)), fields=("reward",), name="one_open_claim"
            ),
        ),
        migrations.AddIndex(
            model_name="rewardbatch",
            index=models.Index(fields=["organization", "-id"], name="batch_newest"),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(fields=["batch", "outcome", "id"], name="item_of_batch"),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(fields=["reward"], name="item_of_reward"),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("outcome", "QUEUED")), fields=["next_attempt_at"], name="item_to_issue"
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("outcome", "UNKNOWN")), fields=["organization", "id"], name="item_unknown"
            ),
        ),
        migrations.AddConstraint(
            model_name="batchitem",
            constraint=models.UniqueConstraint(fields=("batch", "reward"), name="batch_item_once"),
        ),
        migrations.AddIndex(
            model_name="rewardtotals",
            index=models.Index(fields=["organization", "status"], name="totals_by_status"),
        ),
        migrations.AddConstraint(
            model_name="rewardtotals",
            constraint=models.UniqueConstraint(fields=("campaign", "currency", "status"), name="totals_once"),
        ),
        migrations.AddIndex(
            model_name="rewardtransition",
            index=models.Index(fields=["reward", "id"], name="transition_of_reward"),
        ),
        TenantTable("rewards_reward", referenced=True),
        TenantTable("rewards_decision"),
        TenantTable("rewards_rewardtransition"),
        TenantTable("rewards_rewardtotals"),
        TenantTable("rewards_claim", referenced=True),
        TenantTable("rewards_rewardbatch", referenced=True),
        TenantTable("rewards_batchitem", referenced=True),
        TenantTable("rewards_issueattempt"),
        CompositeKey("rewards_reward", "campaign_id", "campaigns_campaign"),
        CompositeKey("rewards_reward", "participant_id", "participants_participant"),
        CompositeKey("rewards_reward", "customer_id", "participants_customer"),
        CompositeKey("rewards_reward", "rule_id", "campaigns_rewardrule"),
        CompositeKey("rewards_reward", "event_id", "participants_qualifyingevent"),
        CompositeKey("rewards_decision", "event_id", "participants_qualifyingevent"),
        CompositeKey("rewards_decision", "rule_id", "campaigns_rewardrule"),
        CompositeKey("rewards_decision", "reward_id", "rewards_reward"),
        CompositeKey("rewards_rewardtransition", "reward_id", "rewards_reward"),
        CompositeKey("rewards_rewardtotals", "campaign_id", "campaigns_campaign"),
        CompositeKey("rewards_claim", "reward_id", "rewards_reward"),
        CompositeKey("rewards_rewardbatch", "campaign_id", "campaigns_campaign"),
        CompositeKey("rewards_rewardbatch", "connection_id", "integrations_connection"),
        CompositeKey("rewards_batchitem", "batch_id", "rewards_rewardbatch"),
        CompositeKey("rewards_batchitem", "reward_id", "rewards_reward"),
        CompositeKey("rewards_batchitem", "claim_id", "rewards_claim"),
        CompositeKey("rewards_batchitem", "connection_id", "integrations_connection"),
        CompositeKey("rewards_issueattempt", "item_id", "rewards_batchitem"),
        CompositeKey("rewards_issueattempt", "reward_id", "rewards_reward"),
        AppendOnly("rewards_rewardtransition"),
    ]
