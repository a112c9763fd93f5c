"""Choosing which mails one gets."""

from collections.abc import Collection

from referral_rocket.accounts.models import Organization, User
from referral_rocket.notices.kinds import NoticeKind
from referral_rocket.notices.models import MutedNotice


def notices_choose(*, organization: Organization, user: User, wanted: Collection[str]) -> None:
    """From now on `user` gets mails of the kinds `wanted` about the live `organization`, and of no other kind."""
    mine = MutedNotice.objects.filter(user=user)
    mine.filter(kind__in=wanted).delete()
    unwanted = [kind for kind in NoticeKind.values if kind not in wanted]
    MutedNotice.objects.bulk_create(
        [MutedNotice(organization=organization, user=user, kind=kind) for kind in unwanted], ignore_conflicts=True
    )


def notices_wanted(*, user: User) -> list[str]:
    """The kinds of mail that `user` gets about the current organization."""
    muted = set(MutedNotice.objects.filter(user=user).values_list("kind", flat=True))
    return [kind for kind in NoticeKind.values if kind not in muted]
