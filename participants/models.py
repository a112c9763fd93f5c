"""People in campaigns, what they did, and the payments behind it."""

from django.db import models
from django.db.models import Q

from campaigns.models import Campaign
from integrations.registry import PROVIDERS
from participants.importing.models import ImportRow as ImportRow
from participants.importing.models import ParticipantImport as ParticipantImport
from referral_rocket.accounts.tenancy import TenantModel
from referral_rocket.kit.encryption import EncryptedJSONField, EncryptedTextField


class Customer(TenantModel):
    """A person known to an organization. `email_key` is the normalised e-mail that look-ups use (attribution.py).

    An erased person keeps the row: `email`, `name` and `external_id` are empty, `pseudonym` is shown instead,
    `email_key` says nothing any more, and `erased_hash` recognises the person if referred again (erasing.py).
    """

    email = models.EmailField(max_length=320, null=True)
    email_key = models.CharField(max_length=320, db_collation="C")
    name = models.CharField(max_length=200, blank=True, db_collation="C")
    external_id = models.CharField(max_length=200, null=True, db_collation="C")
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)
    pseudonym = models.CharField(max_length=40, blank=True)
    erased_hash = models.CharField(max_length=64, null=True, db_collation="C")
    # When we last heard something that decides whether a provider can pay this person: an id there, a change of the
    # customer there, the name. In wall time, as attempts are.
    reachable_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "email_key"], name="customer_email_once"),
            models.UniqueConstraint(
                fields=["organization", "external_id"],
                condition=Q(external_id__isnull=False),
                name="customer_external_id_once",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "name"], name="customer_by_name"),
            models.Index(
                fields=["organization", "erased_hash"],
                condition=Q(erased_hash__isnull=False),
                name="customer_by_erased_hash",
            ),
        ]

    def __str__(self) -> str:
        return self.pseudonym or self.name or self.email or str(self.pk)


class ProviderCustomer(TenantModel):
    """A customer's id at a provider (`stripe`, `cus_1`): how payments are attributed and where credit goes."""

    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="provider_customers", db_constraint=False
    )
    provider = models.CharField(max_length=20)
    provider_id = models.CharField(max_length=200, db_collation="C")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider", "provider_id"], name="provider_customer_once"),
            models.UniqueConstraint(fields=["customer", "provider"], name="one_id_per_provider"),
        ]


class ErasureKey(TenantModel):
    """What an organization's hashes of erased addresses are keyed with: random, made at its first erasure.

    It is encrypted like other secrets, so changing the keys of ENCRYPTION_KEYS (`manage.py rotate_credentials`) changes
    no hash: the addresses are gone, and nothing could be hashed anew.
    """

    key = EncryptedTextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization"], name="erasure_key_once")]


class Erasure(TenantModel):
    """One person's erasing: done at once, but for what an issuing that is under way needs to end.

    `held` is that: `{email, name, provider_ids}`, encrypted, emptied with `finished_at`. A later change that leaves
    something open for the erased person empties `finished_at` again, and the sweep looks once more.
    """

    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, related_name="erasure", db_constraint=False)
    held = EncryptedJSONField(null=True)
    actor = models.CharField(max_length=80)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["organization", "id"], condition=Q(finished_at__isnull=True), name="erasure_unfinished"
            )
        ]


class Forgetting(TenantModel):
    """What is still to be emptied of what payment systems told of somebody: stored bodies, payments of nobody.

    `marks` (encrypted, emptied with `finished_at`) is what to look for: `{"emails": [keys], "ids": {person_key: [ids]}}`, or
    `{"all_of": connection}` for everything that a connection told. A sweep (webhooks.inbound.forgetting) looks through
    what was there at `requested_at`, page by page; `events_seen` and `payments_seen` are the last keys that it has done.
    """

    marks = EncryptedJSONField(null=True)
    events_seen = models.UUIDField(null=True)
    payments_seen = models.UUIDField(null=True)
    emptied = models.PositiveIntegerField(default=0)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["requested_at"], condition=Q(finished_at__isnull=True), name="forgetting_unfinished")
        ]


class Participant(TenantModel):
    """A customer in a campaign, with a referral code that is unique across the installation.

    `referred_by` is set once. `attributed_at` is when the referral began to count: the click where one is known,
    else the join; the attribution window runs from it.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="participants", db_constraint=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="participants", db_constraint=False)
    referral_code = models.CharField(max_length=32, unique=True, db_collation="C")
    referred_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="referrals", db_constraint=False
    )
    attributed_at = models.DateTimeField(null=True)
    joined_at = models.DateTimeField()
    banned_at = models.DateTimeField(null=True)
    ban_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "customer"], name="participant_once"),
            models.CheckConstraint(condition=~Q(referred_by=models.F("id")), name="participant_not_own_referrer"),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="participant_newest"),
            models.Index(fields=["campaign", "-id"], name="participant_of_campaign"),
            models.Index(fields=["referred_by", "-id"], name="participant_referrals"),
        ]


class Click(TenantModel):
    """Somebody followed a share link."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="clicks", db_constraint=False)
    at = models.DateTimeField()
    referrer_host = models.CharField(max_length=255, blank=True)
    by_bot = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["participant", "-at"], name="click_of_participant"),
            models.Index(fields=["organization", "at"], name="click_at"),
            models.Index(fields=["campaign", "at"], name="click_of_campaign"),
        ]


class Source(models.TextChoices):
    """Who told of an event, besides the payment systems: those are named by their slug in capitals."""

    HAND = "HAND", "By hand"
    API = "API", "API"


def source_label(source: str) -> str:
    """A source's name for people."""
    if source in Source.values:
        return Source(source).label
    provider = PROVIDERS.get(source.lower())
    return provider.name if provider else source


class Attribution(models.TextChoices):
    REFERRAL_CODE = "REFERRAL_CODE", "Referral code"
    PROVIDER_CUSTOMER = "PROVIDER_CUSTOMER", "Customer id at the provider"
    EMAIL = "EMAIL", "E-mail"


class Payment(TenantModel):
    """One real payment, however many messages of a provider were about it. Amounts in minor units.

    `amount` is null until a message told it (`invoice_payment.paid` tells only that two ids are one payment).
    `same_as` is set on the younger of two rows that turned out to be one payment.
    """

    connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    source = models.CharField(max_length=20)
    transaction_id = models.CharField(max_length=200, null=True, db_collation="C")
    amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, null=True)
    occurred_at = models.DateTimeField(null=True)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="payments", db_constraint=False
    )
    attributed_by = models.CharField(max_length=17, choices=Attribution, null=True)
    email = models.EmailField(max_length=320, null=True)
    provider_customer_id = models.CharField(max_length=200, null=True, db_collation="C")
    referral_code = models.CharField(max_length=32, null=True, db_collation="C")
    country = models.CharField(max_length=2, null=True)
    tax = models.BigIntegerField(default=0)
    shipping = models.BigIntegerField(default=0)
    discount = models.BigIntegerField(default=0)
    metadata = models.JSONField(default=dict)
    items = models.JSONField(default=list)
    same_as = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["connection", "provider_customer_id", "occurred_at"], name="payment_of_provider_customer"
            ),
            models.Index(fields=["customer", "-occurred_at"], name="payment_of_customer"),
            # What the sweep of forgettings goes through: addresses of people who take part in nothing here.
            models.Index(
                fields=["organization", "id"],
                condition=Q(customer__isnull=True, email__isnull=False),
                name="payment_of_nobody",
            ),
        ]


class PaymentReference(TenantModel):
    """An id under which a provider spoke of a payment (intent, invoice, session, charge)."""

    connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="references", db_constraint=False)
    kind = models.CharField(max_length=30)
    value = models.CharField(max_length=200, db_collation="C")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "value"], name="payment_reference_once")]
        indexes = [
            models.Index(fields=["payment"], name="references_of_payment"),
            models.Index(fields=["organization", "value"], name="payment_reference_value"),
        ]


class EventOutcome(models.TextChoices):
    QUALIFIED = "QUALIFIED", "Qualified"
    NOT_QUALIFIED = "NOT_QUALIFIED", "Not qualified"


class QualifyingEvent(TenantModel):
    """What a participant did in a campaign. One occurrence is one row, whoever reported it and how often.

    `net_amount` is the amount less what was refunded. An undone event keeps its row and gives its
    `transaction_id` free. One with `same_as` is undone because it proved to be the occurrence of that older event:
    whoever tells of it from then on is answered with the older one.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="events", db_constraint=False)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="events", db_constraint=False)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, related_name="events", db_constraint=False
    )
    source = models.CharField(max_length=20)
    type = models.CharField(max_length=60)
    transaction_id = models.CharField(max_length=200, null=True, db_collation="C")
    amount = models.BigIntegerField(null=True)
    net_amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, null=True)
    occurred_at = models.DateTimeField()
    country = models.CharField(max_length=2, null=True)
    tax = models.BigIntegerField(default=0)
    shipping = models.BigIntegerField(default=0)
    discount = models.BigIntegerField(default=0)
    metadata = models.JSONField(default=dict)
    items = models.JSONField(default=list)
    outcome = models.CharField(max_length=13, choices=EventOutcome, default=EventOutcome.NOT_QUALIFIED)
    differs = models.BooleanField(default=False)
    repeats = models.PositiveIntegerField(default=0)
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)
    same_as = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(same_as__isnull=True) | Q(undone_at__isnull=False), name="event_same_as_is_undone"
            ),
            models.UniqueConstraint(
                fields=["campaign", "transaction_id"],
                condition=Q(transaction_id__isnull=False, undone_at__isnull=True),
                name="event_transaction_once",
            ),
            models.UniqueConstraint(
                fields=["campaign", "participant", "type"],
                condition=Q(transaction_id__isnull=True, undone_at__isnull=True),
                name="event_without_transaction_once",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(transaction_id__isnull=False), name="event_amount_has_transaction"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="event_newest"),
            models.Index(fields=["campaign", "-id"], name="event_of_campaign"),
            models.Index(fields=["participant", "-occurred_at"], name="event_of_participant"),
            models.Index(fields=["organization", "transaction_id"], name="event_by_transaction"),
            models.Index(fields=["payment"], condition=Q(payment__isnull=False), name="event_of_payment"),
            models.Index(
                fields=["campaign", "transaction_id"], condition=Q(same_as__isnull=False), name="event_recognised_late"
            ),
        ]

    @property
    def source_label(self) -> str:
        return source_label(self.source)


class ReversalKind(models.TextChoices):
    REFUND = "REFUND", "Refund"
    DISPUTE = "DISPUTE", "Dispute"


class ReversalStatus(models.TextChoices):
    DONE = "DONE", "Done"
    OPEN = "OPEN", "Open"
    WON = "WON", "Won"
    LOST = "LOST", "Lost"
    FAILED = "FAILED", "Failed"


class Reversal(TenantModel):
    """A refund or dispute of a payment, or of what the API reported as a transaction of one campaign.

    It may be known before what it reverses: then nothing but these keys ties it to what comes later. `amount` null is
    all of it; `currency` null is the payment's, and one in another currency counts for nothing. `cumulative`: the amount
    is everything refunded up to `occurred_at`, not this refund alone. `undone_with` names the hand-made event that it was
    of when that was undone: it says nothing about what gets the transaction id next.
    """

    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, related_name="reversals", db_constraint=False
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, related_name="reversals", db_constraint=False
    )
    transaction_id = models.CharField(max_length=200, null=True, db_collation="C")
    undone_with = models.ForeignKey(
        QualifyingEvent, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    refund_id = models.CharField(max_length=200, db_collation="C")
    kind = models.CharField(max_length=7, choices=ReversalKind)
    status = models.CharField(max_length=6, choices=ReversalStatus)
    amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, null=True)
    cumulative = models.BooleanField(default=False)
    occurred_at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "refund_id"], condition=Q(payment__isnull=False), name="reversal_of_payment_once"
            ),
            models.UniqueConstraint(
                fields=["campaign", "transaction_id", "refund_id"],
                condition=Q(campaign__isnull=False, undone_with__isnull=True),
                name="reversal_of_transaction_once",
            ),
            models.CheckConstraint(
                condition=Q(payment__isnull=False, campaign__isnull=True, transaction_id__isnull=True)
                | Q(payment__isnull=True, campaign__isnull=False, transaction_id__isnull=False),
                name="reversal_of_one_thing",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization", "transaction_id"],
                condition=Q(campaign__isnull=False),
                name="reversal_by_transaction",
            )
        ]
