"""Working off stored events."""

from celery import shared_task

from webhooks.inbound import backfilling, completing, dispatch, forgetting, replaying


@shared_task
def work_off() -> int:
    """Make payments, events and rewards of what payment systems posted."""
    return dispatch.run()


@shared_task
def backfill() -> int:
    """Ask a provider about its past, for the backfill that has waited longest."""
    return backfilling.run()


@shared_task
def complete() -> int:
    """Ask providers for what their webhooks left out."""
    return completing.run()


@shared_task
def forget() -> int:
    """Empty what was stored of people who were erased."""
    return forgetting.run()


@shared_task
def replay() -> int:
    """Let events be worked on once more, for the replays that were asked for."""
    return replaying.run()
