"""Sweeps of the participants' queues."""

from celery import shared_task

from participants.importing import working
from referral_rocket.kit.nudges import nudge


@shared_task
def import_participants() -> int:
    """Check, run or undo the import that has waited longest; while there is one, the next turn follows at once."""
    worked = working.work_on()
    if worked:
        nudge(import_participants)
    return worked


@shared_task
def forget_old_imports() -> int:
    """Delete what is kept of files that were uploaded long ago."""
    return working.forget_old()
