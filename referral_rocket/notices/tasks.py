"""The sweep of mails to members."""

from celery import shared_task

from referral_rocket.notices import sending


@shared_task
def send_notices() -> int:
    """Mail members what they have to know."""
    return sending.run()
