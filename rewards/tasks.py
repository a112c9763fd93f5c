"""The sweeps of rewards. Each looks through a table; a message only says when."""

from celery import shared_task

from rewards.services import issuing
from rewards.services.reconciling import unknown_look_up_everywhere
from rewards.services.releasing import release_everywhere


@shared_task
def run_batches() -> int:
    """Issue what is queued in batches."""
    return issuing.run()


@shared_task
def release_due() -> int:
    """Make due what has waited long enough."""
    return release_everywhere()


@shared_task
def look_up_unknown() -> int:
    """Ask the providers about outcomes that are unknown; nothing is sent."""
    return unknown_look_up_everywhere()
