"""Mail to an organization whose endpoint we disabled. The queue is the endpoint's `notice_due_at`."""

from datetime import timedelta
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from integrations.models import Endpoint
from referral_rocket.accounts.models import Membership, Organization
from referral_rocket.accounts.roles import Ability, may
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit.clock import wall

CLAIM = 20
RETRY = timedelta(minutes=10)
HOLD = timedelta(minutes=2)

log = structlog.get_logger(__name__)


def run() -> int:
    """Send what is due; how many mails. Killed between sending and noting it, one is sent again."""
    sent = 0
    for endpoint in _claim():
        people = _people(endpoint.organization)
        try:
            for address in people:
                send_mail(_subject(endpoint), _text(endpoint), settings.DEFAULT_FROM_EMAIL, [address])
                sent += 1
        except (SMTPException, OSError) as error:
            log.warning("endpoint_notice_not_sent", endpoint=str(endpoint.pk), error=type(error).__name__)
            _put_off(endpoint)
            continue
        with tenant(endpoint.organization):
            Endpoint.objects.filter(pk=endpoint.pk).update(notice_due_at=None)
    return sent


def _claim() -> list[Endpoint]:
    """Moved ahead while they are worked on: two sweeps at once don't send the same."""
    with every_organization("claiming notices about disabled endpoints"):
        due = list(
            Endpoint.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("organization")
            .filter(notice_due_at__lte=wall())
            .order_by("notice_due_at")[:CLAIM]
        )
        Endpoint.objects.filter(pk__in=[endpoint.pk for endpoint in due]).update(notice_due_at=wall() + HOLD)
    return due


def _put_off(endpoint: Endpoint) -> None:
    with tenant(endpoint.organization):
        Endpoint.objects.filter(pk=endpoint.pk).update(notice_due_at=wall() + RETRY)


def _people(organization: Organization) -> list[str]:
    """Who may mend it. Members belong to the live organization, also for its test twin."""
    with tenant(organization.live_organization or organization):
        members = Membership.objects.select_related("user").order_by("pk")
        return [member.user.email for member in members if may(member.role, Ability.CONNECT) and member.user.is_active]


def _subject(endpoint: Endpoint) -> str:
    return f"{endpoint.organization.name}: a webhook endpoint was disabled"


def _text(endpoint: Endpoint) -> str:
    url = f"{settings.BASE_URL}/o/{endpoint.organization.slug}/webhooks/{endpoint.pk}"
    return render_to_string("webhooks/disabled_message.txt", {"endpoint": endpoint, "url": url})
