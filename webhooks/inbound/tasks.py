"""Working off stored events."""

from celery import shared_task

from webhooks.inbound import dispatch


@shared_task
def work_off() -> int:
    """Make payments, events and rewards of what payment systems posted."""
    return dispatch.run()
