"""What doesn't agree, stored once by its key however often it is seen, until it agrees again or a person settles it."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from rewards.reconciliations import Finding, FindingKind, Settled

ACTOR = "system:reconciling"
# Of a thing in a provider's list: what it could be found to be, so that seeing it agree ends all of them.
OF_LISTED = (FindingKind.ORPHAN, FindingKind.NOT_ISSUED_HERE, FindingKind.DOUBLE_THERE, FindingKind.OTHER_AMOUNT)
# Of an item that is looked up.
OF_ITEM = (FindingKind.MISSING, FindingKind.OTHER_REFERENCE, FindingKind.NOT_SHOWN, FindingKind.NOT_ISSUED_HERE)
OF_BOOKS = (FindingKind.BOOKS, FindingKind.DOUBLE_HERE)
_SEEN = (
    "message", "seen_at", "amount", "currency", "provider_reference", "item", "reward", "named_reward", "method",
)  # fmt: skip


class NotSettleable(Exception):
    """It is settled already. `message` is for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def listed_key(kind: str, connection_id: UUID, reference: str) -> str:
    return f"{kind}:{connection_id}:{reference}"[:400]


def item_key(kind: str, item_id: UUID) -> str:
    return f"{kind}:item:{item_id}"


def book_key(kind: str, what: str) -> str:
    return f"{kind}:{what}"[:400]


@transaction.atomic
def findings_store(*, organization: Organization, found: Collection[Finding]) -> None:
    """Store what was seen now; what had agreed meanwhile is open again, what a person settled stays so.

    Inside `tenant()`. Twice at once: both write the same, by the unique key.
    """
    if not found:
        return
    now = clock.wall()
    by_key = {each.key: each for each in found}
    for each in by_key.values():
        each.pk, each.organization, each.first_seen_at, each.seen_at = uuid7(), organization, now, now
        each.message = each.message[:500]
    Finding.objects.bulk_create(
        [by_key[key] for key in sorted(by_key)],
        update_conflicts=True,
        unique_fields=["organization", "key"],
        update_fields=_SEEN,
    )
    Finding.objects.filter(key__in=by_key, settled_as=Settled.AGREES).update(
        settled_at=None, settled_as="", settled_by=""
    )


def findings_agree(keys: Iterable[str]) -> None:
    """End those of these keys that are open. Inside `tenant()`."""
    _agree(Finding.objects.filter(key__in=list(keys), settled_at__isnull=True))


def books_agree(*, but: Collection[str]) -> None:
    """End what is open about our own books, but for these keys."""
    _agree(Finding.objects.filter(kind__in=OF_BOOKS, settled_at__isnull=True).exclude(key__in=list(but)))


def _agree(findings: QuerySet[Finding]) -> None:
    findings.update(settled_at=clock.wall(), settled_as=Settled.AGREES, settled_by=ACTOR)


@transaction.atomic
def finding_settle(*, organization: Organization, finding: Finding, actor: str, note: str) -> Finding:
    """A person has looked into it, and says with what result. It changes nothing but the finding.

    Raises NotSettleable where it was settled before; of two at once, one wins.
    """
    held = Finding.objects.select_for_update(no_key=True).get(pk=finding.pk)
    if held.settled_at is not None:
        raise NotSettleable("This was settled already.")
    held.settled_at, held.settled_as, held.settled_by, held.note = clock.wall(), Settled.BY_A_PERSON, actor, note[:500]
    held.save(update_fields=["settled_at", "settled_as", "settled_by", "note"])
    happening = Happening(
        "finding.settled", "finding", held.pk, data={"kind": held.kind, "reference": held.provider_reference}
    )
    record(organization=organization, actor=actor, happenings=[happening])
    return held
