"""Files of participants that another program wrote, and what becomes of each of their rows."""

from django.db import models
from django.db.models import Q

from campaigns.models import Campaign
from referral_rocket.accounts.tenancy import TenantModel


class ImportStatus(models.TextChoices):
    MAPPING = "MAPPING", "Waiting to hear what the columns are"
    CHECKING = "CHECKING", "Being checked"
    CHECKED = "CHECKED", "Checked, nothing written"
    RUNNING = "RUNNING", "Being imported"
    FINISHED = "FINISHED", "Finished"
    UNDOING = "UNDOING", "Being undone"
    UNDONE = "UNDONE", "Undone"
    DISCARDED = "DISCARDED", "Discarded"
    FAILED = "FAILED", "Broke off"


class Existing(models.TextChoices):
    """What to do with people who are in the campaign already."""

    LEAVE = "LEAVE", "Leave them as they are"
    FILL = "FILL", "Fill in what is missing"


class Attributed(models.TextChoices):
    """From when on the attribution window of an imported referral runs."""

    JOINED = "JOINED", "From the day each person joined"
    IMPORTED = "IMPORTED", "From the day of this import"


class RowState(models.TextChoices):
    UNREAD = "UNREAD", "Not looked at yet"
    NEW = "NEW", "Will be added"
    EXISTING = "EXISTING", "In the campaign already"
    WRONG = "WRONG", "Can't be imported"
    CREATED = "CREATED", "Added"
    FILLED = "FILLED", "Filled in"
    LEFT = "LEFT", "Left as it was"
    REMOVED = "REMOVED", "Removed again"
    RESTORED = "RESTORED", "As it was before"
    KEPT = "KEPT", "Stays"


class ParticipantImport(TenantModel):
    """One file on its way in, and back out again where it is undone.

    `columns` are the names of the file's columns, each once. `mapping` says by field which column it is in (a place in
    `columns`). `figures` are numbers of rows: what the check found, then what became of them, then what an undo did.
    `position` is the last line that has been checked, `done` of `total` rows the progress of what the worker is at.
    """

    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, related_name="imports", db_constraint=False
    )
    file_name = models.CharField(max_length=200)
    size = models.PositiveIntegerField()
    encoding = models.CharField(max_length=20)
    delimiter = models.CharField(max_length=1)
    columns = models.JSONField()
    row_count = models.PositiveIntegerField(default=0)
    mapping = models.JSONField(default=dict)
    date_format = models.CharField(max_length=10, blank=True)
    referrer_by = models.CharField(max_length=10, blank=True)
    existing = models.CharField(max_length=5, choices=Existing, default=Existing.LEAVE)
    attributed = models.CharField(max_length=8, choices=Attributed, default=Attributed.JOINED)
    status = models.CharField(max_length=9, choices=ImportStatus, default=ImportStatus.MAPPING)
    figures = models.JSONField(default=dict)
    position = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    actor = models.CharField(max_length=80)
    message = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    # When its rows were deleted: what people had in their files is kept for IMPORT_KEEP_DAYS.
    forgotten_at = models.DateTimeField(null=True)
    # Parts in a row that the database refused.
    attempts = models.PositiveSmallIntegerField(default=0)
    # When a worker is to deal with it; null while it waits for a person, or has ended.
    next_attempt_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="import_newest"),
            models.Index(fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="import_to_do"),
            models.Index(fields=["created_at"], condition=Q(forgotten_at__isnull=True), name="import_to_forget"),
        ]


class ImportRow(TenantModel):
    """A row of a file. `line` is where it begins in the file, `cells` is what stands there, `reason` why it is wrong.

    `values` is what is made of the cells; the columns after it repeat those parts that rows are matched by. `wave`
    is how many rows stand between this one and a referrer who is there already: a referrer is imported before those
    whom it brought, wherever in the file they stand. `participant_id` and `referrer_id` are no foreign keys: a row
    outlives what it made.
    """

    participant_import = models.ForeignKey(
        ParticipantImport, on_delete=models.CASCADE, related_name="rows", db_constraint=False, db_index=False
    )
    line = models.PositiveIntegerField()
    cells = models.JSONField()
    state = models.CharField(max_length=8, choices=RowState, default=RowState.UNREAD)
    problem = models.CharField(max_length=30, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    values = models.JSONField(default=dict)
    email_key = models.CharField(max_length=320, blank=True, db_collation="C")
    external_id = models.CharField(max_length=200, blank=True, db_collation="C")
    code = models.CharField(max_length=32, blank=True, db_collation="C")
    key = models.CharField(max_length=200, blank=True, db_collation="C")
    referrer_email = models.CharField(max_length=320, blank=True, db_collation="C")
    referrer_code = models.CharField(max_length=32, blank=True, db_collation="C")
    referrer_key = models.CharField(max_length=200, blank=True, db_collation="C")
    code_owner = models.UUIDField(null=True)
    referrer_line = models.PositiveIntegerField(null=True)
    referrer_id = models.UUIDField(null=True)
    wave = models.PositiveIntegerField(null=True)
    participant_id = models.UUIDField(null=True)
    # Whether the import also made the customer; what it filled in of somebody who was there, by field.
    customer_made = models.BooleanField(default=False)
    filled = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["participant_import", "line"], name="import_line_once")]
        indexes = [
            models.Index(fields=["participant_import", "state", "wave", "line"], name="import_row_by_state"),
            models.Index(
                fields=["participant_import", "referrer_line"],
                condition=Q(referrer_line__isnull=False),
                name="import_row_by_referrer",
            ),
            # For erasing a person.
            models.Index(fields=["organization", "email_key"], name="import_row_by_email"),
            models.Index(
                fields=["organization", "referrer_email"], condition=~Q(referrer_email=""), name="import_row_by_named"
            ),
        ]

    @property
    def said(self) -> str:
        """What stands in the row, in one line, for people."""
        return " · ".join(filter(None, (" ".join(cell.split()) for cell in self.cells)))
