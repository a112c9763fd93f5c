"""Sends the mails that are owed, to the members whom they concern and who didn't decline them."""

from datetime import timedelta
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from referral_rocket.accounts.models import Membership, Organization, User
from referral_rocket.accounts.roles import may
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit.clock import wall
from referral_rocket.notices.kinds import NOTICES
from referral_rocket.notices.models import MutedNotice, PendingNotice

CLAIM = 20
RETRY = timedelta(minutes=10)
# Nobody else sends what is claimed for so long.
HOLD = timedelta(minutes=2)

log = structlog.get_logger(__name__)


def run() -> int:
    """Send what is due; how many mails. Killed between a mail and noting it, that mail is sent once more."""
    return sum(_send(notice) for notice in _claim())


def _claim() -> list[PendingNotice]:
    """Moved ahead while they are worked on: two sweeps at once don't send the same."""
    with every_organization("claiming notices"):
        due = list(
            PendingNotice.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("organization")
            .filter(due_at__lte=wall())
            .order_by("due_at")[:CLAIM]
        )
        PendingNotice.objects.filter(pk__in=[notice.pk for notice in due]).update(due_at=wall() + HOLD)
    return due


def _send(notice: PendingNotice) -> int:
    sent = 0
    for user in _people(notice):
        try:
            send_mail(_subject(notice), _text(notice), settings.DEFAULT_FROM_EMAIL, [user.email])
        except (SMTPException, OSError) as error:
            log.warning("notice_not_sent", notice=str(notice.pk), error=type(error).__name__)
            _keep(notice, due_at=wall() + RETRY)
            return sent
        sent += 1
        notice.told.append(user.pk)
        _keep(notice, told=notice.told)
    with tenant(notice.organization):
        PendingNotice.objects.filter(pk=notice.pk).delete()
    return sent


def _keep(notice: PendingNotice, **fields: object) -> None:
    with tenant(notice.organization):
        PendingNotice.objects.filter(pk=notice.pk).update(**fields)


def _people(notice: PendingNotice) -> list[User]:
    """Those who may do something about it now. Members belong to the live organization, also for its test twin."""
    live = notice.organization.live_organization or notice.organization
    with tenant(live):
        muted = set(MutedNotice.objects.filter(kind=notice.kind).values_list("user_id", flat=True))
        members = Membership.objects.select_related("user").order_by("pk")
        return [
            member.user
            for member in members
            if may(member.role, NOTICES[notice.kind].ability)
            and member.user.is_active
            and member.user_id not in muted
            and member.user_id not in notice.told
        ]


def _name(organization: Organization) -> str:
    return f"{organization.name} (test)" if organization.is_test else organization.name


def _subject(notice: PendingNotice) -> str:
    return f"{_name(notice.organization)}: {NOTICES[notice.kind].subject}"


def _text(notice: PendingNotice) -> str:
    known = NOTICES[notice.kind]
    live = notice.organization.live_organization or notice.organization
    context = {
        "text": known.text(notice.data),
        "url": f"{settings.BASE_URL}/o/{notice.organization.slug}/{known.page.format(id=notice.subject_id)}",
        "choices_url": f"{settings.BASE_URL}/o/{live.slug}/settings/notifications/",
    }
    return render_to_string("notices/message.txt", context)
