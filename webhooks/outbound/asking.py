"""Mails that ask participants for what is missing. The queue is RecipientRequest's `next_attempt_at`.

A row is taken for sent, in a transaction, before its mail is handed over: killed in between it isn't sent at all, which
a person sees and can do again after a week; nobody is asked twice by it. Whoever was erased, or has nothing waiting any
more, is seen in that transaction and not mailed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from integrations.registry import PROVIDERS
from participants.models import Customer
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit.clock import wall
from referral_rocket.kit.money import format_money
from rewards.models import Reward
from rewards.recipient_requests import RecipientRequest
from rewards.services.claims import claimed
from rewards.states import RewardStatus

CLAIM = 20
RETRY = timedelta(minutes=10)
TRIES = 5
# What is missing, for the participant, by code; `{name}` is the provider's.
MISSING = {
    "customer_not_found": "we don't know your account with us at {name}: which e-mail address do you use there?",
    "several_customers": "there are several accounts of yours at {name}: which e-mail address shall we use?",
    "customer_deleted": "your account with us at {name} was closed: which e-mail address do you use now?",
    "invalid_recipient": "{name} can't pay to the address that we have: which name and e-mail address do you use there?",
    "product_unavailable": "{name} has nothing to offer where we think you are: in which country do you live?",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Letter:
    request: RecipientRequest
    organization: Organization
    message: EmailMessage


def run() -> int:
    """Send what is due; how many mails were sent."""
    sent = 0
    for letter in _claim():
        try:
            letter.message.send()
            sent += 1
        except (SMTPException, OSError) as error:
            log.warning("recipient_not_asked", request=str(letter.request.pk), error=type(error).__name__)
            _again(letter)
    return sent


def _claim() -> list[_Letter]:
    """What is to be sent now, taken for sent."""
    with every_organization("claiming mails to participants"):
        rows = list(
            RecipientRequest.objects.select_related("organization")
            .filter(next_attempt_at__lte=wall())
            .order_by("next_attempt_at")[:CLAIM]
        )
    letters = []
    for row in rows:
        with tenant(row.organization):
            letter = _take(row)
        if letter is not None:
            letters.append(letter)
    return letters


def _take(row: RecipientRequest) -> _Letter | None:
    # The person first: an erasing is before this, and seen, or after it.
    customer = Customer.objects.select_for_update(no_key=True).get(pk=row.customer_id)
    request = RecipientRequest.objects.select_for_update(skip_locked=True).filter(pk=row.pk).first()
    if request is None or request.next_attempt_at is None or request.next_attempt_at > wall():
        return None
    waiting = _waiting(request)
    request.next_attempt_at = None
    request.attempts += 1
    if customer.erased_at is not None or not customer.email:
        request.dropped = "The person was erased."
    elif not waiting:
        request.dropped = "Nothing waits any more."
    else:
        request.sent_at = wall()
    request.save(update_fields=["next_attempt_at", "attempts", "sent_at", "dropped"])
    if request.sent_at is None:
        return None
    return _Letter(request, row.organization, _message(row.organization, request, customer, waiting))


def _waiting(request: RecipientRequest) -> list[Reward]:
    due = list(
        Reward.objects.filter(pk__in=request.rewards, status=RewardStatus.PENDING)
        .select_related("campaign")
        .order_by("pk")
    )
    being_issued = claimed(each.pk for each in due)
    return [each for each in due if each.pk not in being_issued]


def _message(
    organization: Organization, request: RecipientRequest, customer: Customer, waiting: Sequence[Reward]
) -> EmailMessage:
    name = PROVIDERS[request.provider].name if request.provider in PROVIDERS else request.provider
    text = render_to_string(
        "webhooks/asking_message.txt",
        {
            "organization": organization,
            "name": customer.name,
            "missing": MISSING[request.code].format(name=name),
            "rewards": [(format_money(each.amount, each.currency), each.campaign.name) for each in waiting],
            "reply_to": request.reply_to,
        },
    )
    subject = " ".join(f"Your reward from {organization.name} is waiting".split())
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [customer.email or ""], reply_to=[request.reply_to])


def _again(letter: _Letter) -> None:
    """It was refused by the mail server, so it wasn't sent: later again, for some times."""
    over = letter.request.attempts >= TRIES
    with tenant(letter.organization):
        RecipientRequest.objects.filter(pk=letter.request.pk).update(
            sent_at=None,
            next_attempt_at=None if over else wall() + RETRY,
            dropped="The mail server refused it." if over else "",
        )
