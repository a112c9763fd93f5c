"""Fetching the keys that providers sign webhooks with: noted by the door, fetched by a worker, kept in a table.

The door never calls out. It notes the address that a webhook names, once the adapter has found that the address is the
provider's own, answers 503, and the provider delivers again. Killed anywhere, a note stays a note. What is noted is
bounded, since anybody can post such a webhook: the newest addresses are refused while many wait.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import transaction

from integrations import remembered_keys
from integrations.errors import UnusableKey
from integrations.models import SigningKey
from integrations.registry import provider_of
from referral_rocket.kit.clock import wall
from referral_rocket.kit.http import Caller, HttpFailure

MOST_WANTED = 50
CLAIMED_AT_ONCE = 10
LEASE = timedelta(seconds=60)
RETRY_SECONDS = (5, 30, 120, 600, 3600)

log = structlog.get_logger(__name__)
_caller = Caller()


def signing_key_recall(*, url: str) -> bool:
    """Whether the key is here; it is then in memory."""
    kept = SigningKey.objects.filter(url=url, key__isnull=False).values_list("key", flat=True).first()
    if kept is None:
        return False
    remembered_keys.remember(url, bytes(kept))
    return True


def signing_key_want(*, provider: str, url: str) -> None:
    """Note that a key is to be fetched. Noting it again changes nothing."""
    if SigningKey.objects.filter(key__isnull=True).count() < MOST_WANTED:
        wanted = SigningKey(provider=provider, url=url, next_attempt_at=wall())
        SigningKey.objects.bulk_create([wanted], ignore_conflicts=True)


def signing_keys_fetch() -> int:
    """Fetch what is wanted; how many were asked for."""
    claimed = _claim()
    for wanted in claimed:
        _settle(wanted, _fetched(wanted))
    return len(claimed)


@transaction.atomic
def _claim() -> list[SigningKey]:
    due = SigningKey.objects.select_for_update(skip_locked=True).filter(next_attempt_at__lte=wall())
    claimed = list(due.order_by("next_attempt_at")[:CLAIMED_AT_ONCE])
    SigningKey.objects.filter(pk__in=[wanted.pk for wanted in claimed]).update(next_attempt_at=wall() + LEASE)
    return claimed


@dataclass(frozen=True)
class _Nothing:
    """No key, and why. `for_good` where asking again would be in vain."""

    reason: str
    for_good: bool = False


def _fetched(wanted: SigningKey) -> bytes | _Nothing:
    provider = provider_of(wanted.provider)
    if provider.trusted_key is None:
        return _Nothing(f"{provider.name} has no keys to be fetched.", for_good=True)
    try:
        answer = _caller.send("GET", wanted.url, headers={"Accept": "*/*"})
        if answer.status != 200:
            return _Nothing(f"{provider.name} answered {answer.status}.", for_good=answer.status in (400, 404, 410))
        return provider.trusted_key(wanted.url, answer.body)
    except HttpFailure as failure:
        return _Nothing(failure.reason)
    except UnusableKey as error:
        return _Nothing(str(error), for_good=True)


def _settle(wanted: SigningKey, outcome: bytes | _Nothing) -> None:
    row = SigningKey.objects.filter(pk=wanted.pk)
    if isinstance(outcome, bytes):
        row.update(key=outcome, fetched_at=wall(), next_attempt_at=None, reason="")
        return
    log.warning("signing_key_not_fetched", provider=wanted.provider, url=wanted.url, reason=outcome.reason)
    if outcome.for_good or wanted.attempts >= len(RETRY_SECONDS):
        # Forgotten, so that what somebody made up keeps no real one waiting: the next webhook that names it notes it anew.
        row.filter(key__isnull=True).delete()
        return
    again = wall() + timedelta(seconds=RETRY_SECONDS[wanted.attempts])
    row.update(attempts=wanted.attempts + 1, next_attempt_at=again, reason=outcome.reason[:300])
