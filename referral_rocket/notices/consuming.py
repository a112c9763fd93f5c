"""From what happened to the mails we owe: a consumer of the outbox (settings.ACTIVITY_CONSUMERS).

Runs in the transaction that empties the outbox, so nothing is owed twice, and nothing is forgotten.
"""

from collections.abc import Sequence

from referral_rocket.accounts.models import Organization
from referral_rocket.activity.outbox import Told
from referral_rocket.kit.clock import wall
from referral_rocket.notices.kinds import KINDS_BY_ACTIVITY, NOTICES
from referral_rocket.notices.models import PendingNotice


def consume(organization: Organization, told: Sequence[Told]) -> None:
    """Write a notice for each happening that a person has to know of."""
    now = wall()
    PendingNotice.objects.bulk_create(
        PendingNotice(
            organization=organization, kind=kind, subject_id=each.activity.subject_id, data=dict(data), due_at=now
        )
        for each in told
        if (kind := KINDS_BY_ACTIVITY.get(each.activity.kind)) is not None
        and (data := NOTICES[kind].data_of(each)) is not None
    )
