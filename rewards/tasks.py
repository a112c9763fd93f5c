"""The sweeps of rewards. Each looks through a table; a message only says when."""

from celery import shared_task

from referral_rocket.kit.nudges import nudge
from rewards.services import issuing
from rewards.services.automatic import runs_everywhere
from rewards.services.erasing import erasures_finish_everywhere
from rewards.services.freezing import freeze_everywhere
from rewards.services.queueing import queued_issue_everywhere
from rewards.services.recipients import recipients_retry_everywhere
from rewards.services.reconciling import runs as reconciliations
from rewards.services.releasing import release_everywhere
from rewards.services.take_backs import take_backs_everywhere


@shared_task
def run_batches() -> int:
    """Freeze what big batches are made of, and issue what is queued; then erase what was kept until that ended."""
    frozen = freeze_everywhere()
    tried = issuing.run()
    erasures_finish_everywhere()
    if frozen or tried:
        # A run yields after a while. Waiting for beat would leave a connection idle for a part of its time.
        nudge(run_batches)
    return tried


@shared_task
def release_due() -> int:
    """Make due what has waited long enough."""
    return release_everywhere()


@shared_task
def issue_queued() -> int:
    """Try again what waits until an earlier discount is used up."""
    return queued_issue_everywhere()


@shared_task
def take_back_deductions() -> int:
    """Queue the deductions that can be taken back where their rewards were issued."""
    return take_backs_everywhere()


@shared_task
def issue_automatically() -> int:
    """Put into batches what campaigns issue by themselves."""
    return runs_everywhere()


@shared_task
def retry_recipients() -> int:
    """Make plainly due what waited for its recipient, where something has changed about that person."""
    return recipients_retry_everywhere()


@shared_task
def reconcile() -> int:
    """Go on with a reconciliation."""
    return reconciliations.run()


@shared_task
def begin_reconciliations() -> int:
    """Queue the daily ones."""
    return reconciliations.begin_everywhere()
