"""What workers do with imports: a row with `next_attempt_at` is the queue, swept by beat, held by a lease."""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError

from participants.importing import checking, running, undoing
from participants.importing.models import ImportRow, ImportStatus, ParticipantImport
from participants.importing.states import AT_WORK
from participants.importing.work import SECONDS, Work
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit import clock
from referral_rocket.kit.leases import Lease, LeaseLost, free

# After so many refusals of the database in a row an import waits for a person.
MOST_ATTEMPTS = 5
RETRY_SECONDS = 5
_AT = {ImportStatus.CHECKING: checking.check, ImportStatus.RUNNING: running.run, ImportStatus.UNDOING: undoing.undo}
_NOT_BEGUN = (ImportStatus.MAPPING, ImportStatus.CHECKED, ImportStatus.FAILED)

log = structlog.get_logger(__name__)


def work_on(seconds: float = SECONDS) -> int:
    """Deal with the import that has waited longest, for at most so long; 1 if there was one."""
    work = _claim(seconds)
    if work is None:
        return 0
    try:
        done = _AT[ImportStatus(work.participant_import.status)](work)
    except LeaseLost:
        log.warning("import_lease_lost", participant_import=str(work.participant_import.pk))
    except DatabaseError:
        log.exception("import_part_refused", participant_import=str(work.participant_import.pk))
        _wait_or_fail(work)
    except Exception:
        log.exception("import_failed", participant_import=str(work.participant_import.pk))
        _fail(work)
    else:
        if not done:
            work.put_back()
    return 1


def _claim(seconds: float) -> Work | None:
    with every_organization("sweep of imports"):
        now = clock.wall()
        found = (
            ParticipantImport.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("organization")
            .filter(free(now), next_attempt_at__lte=now)
            .order_by("next_attempt_at")
            .first()
        )
        if found is None:
            return None
        lease = Lease.new()
        ParticipantImport.objects.filter(pk=found.pk).update(leased_until=lease.until, lease_token=lease.token)
        return Work(found.organization, found, lease, seconds)


def _wait_or_fail(work: Work) -> None:
    attempts = work.current().attempts + 1
    if attempts >= MOST_ATTEMPTS:
        _fail(work)
        return
    with tenant(work.organization):
        ParticipantImport.objects.filter(pk=work.participant_import.pk, lease_token=work.lease.token).update(
            attempts=attempts,
            next_attempt_at=clock.wall() + timedelta(seconds=RETRY_SECONDS * attempts),
            leased_until=None,
            lease_token=None,
        )


def _fail(work: Work) -> None:
    try:
        with tenant(work.organization):
            work.hold()
            work.end(
                ImportStatus.FAILED, message="It broke off unexpectedly. What is done is done; it can go on from there."
            )
    except LeaseLost:
        log.warning("import_lease_lost", participant_import=str(work.participant_import.pk))


def forget_old() -> int:
    """Delete the rows of imports older than IMPORT_KEEP_DAYS: what people had in their files isn't kept for good.

    One that a worker is at is left until it has ended. Answers how many imports.
    """
    before = clock.wall() - timedelta(days=settings.IMPORT_KEEP_DAYS)
    with every_organization("sweep of imports"):
        old = list(
            ParticipantImport.objects.select_related("organization")
            .filter(created_at__lt=before, forgotten_at__isnull=True)
            .exclude(status__in=AT_WORK)
            .order_by("created_at")[:100]
        )
    for each in old:
        with tenant(each.organization):
            _forget(each)
    return len(old)


def _forget(old: ParticipantImport) -> None:
    held = (
        ParticipantImport.objects.select_for_update(no_key=True).exclude(status__in=AT_WORK).filter(pk=old.pk).first()
    )
    if held is None:
        return
    ImportRow.objects.filter(participant_import=held).delete()
    if held.status in _NOT_BEGUN and held.started_at is None:
        held.status = ImportStatus.DISCARDED
    held.forgotten_at = clock.wall()
    held.save(update_fields=["status", "forgotten_at"])
