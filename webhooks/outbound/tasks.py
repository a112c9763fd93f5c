"""The sweeps of webhook deliveries."""

from celery import shared_task

from webhooks.outbound import asking
from webhooks.outbound.orders import orders_make_everywhere
from webhooks.outbound.sending import process_sender

RUN_SECONDS = 20


@shared_task
def deliver() -> int:
    """Send what is due, for at most 20 s; the next sweep or nudge goes on."""
    return process_sender().work(RUN_SECONDS)


@shared_task
def order_what_waited() -> int:
    """Order rewards for which there was no endpoint."""
    return orders_make_everywhere()


@shared_task
def ask_recipients() -> int:
    """Mail participants whose rewards wait for something of theirs."""
    return asking.run()
