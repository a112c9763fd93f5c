"""The sweep of the outbox."""

from celery import shared_task

from referral_rocket.activity import outbox


@shared_task
def hand_on() -> int:
    """Hand what happened to its consumers."""
    return outbox.run()
