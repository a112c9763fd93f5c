"""`Idempotency-Key`: a repeated POST or PATCH is answered as the first one was, and done once.

What a call did, its row here and its stored answer are one transaction (architecture.md, Manner 8). Killed before the
commit there is none of them, and the repeat does it. Two at once: the second doesn't get the advisory lock, which the
first holds to its end, and is told to come back. A refusal takes back what the call did, and is stored too.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from django.db import connection, transaction

from referral_rocket.accounts.models import Organization
from referral_rocket.api.answers import Answer, dumped
from referral_rocket.api.errors import domain_problem
from referral_rocket.api.models import IdempotentRequest
from referral_rocket.api.problems import Problem, answer_of, invalid, problem_of
from referral_rocket.kit.clock import wall

HEADER = "Idempotency-Key"
MAXIMUM_LENGTH = 255
KEPT = timedelta(hours=24)
# A repeat may be right sooner or later than this; it is how long a call usually takes, rounded up.
RETRY_AFTER_SECONDS = 1
# Whether these are right depends on the moment, not on the request.
_NOT_STORED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})


def checked_key(value: str | None) -> str | None:
    """The header's value. Raises a 400 Problem for an empty, too long or unprintable one."""
    if value is None:
        return None
    if not 1 <= len(value) <= MAXIMUM_LENGTH or not (value.isascii() and value.isprintable()):
        raise invalid([(HEADER, "invalid", f"Use 1 to {MAXIMUM_LENGTH} printable ASCII characters.")])
    return value


def fingerprint(method: str, path: str, body: Mapping[str, Any]) -> str:
    """What makes two requests the same. The order of a body's names doesn't: JSON objects have none."""
    text = f"{method} {path}\n{_sorted(body)}"
    return sha256(text.encode()).hexdigest()


def _sorted(body: Mapping[str, Any]) -> str:
    return dumped(_in_order(body))


def _in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _in_order(value[name]) for name in sorted(value)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def once(*, organization: Organization, key: str, fingerprint: str, run: Callable[[], Answer]) -> Answer:
    """Run the call, or answer as before. Inside `tenant()`. Raises a 409 or 422 Problem, and what isn't stored."""
    if not _lock(organization, key):
        raise Problem(
            409,
            "idempotency_key_in_use",
            "The first request with this key is still running.",
            retry_after=RETRY_AFTER_SECONDS,
        )
    known = IdempotentRequest.objects.filter(key=key).first()
    if known is not None and known.created_at <= wall() - KEPT:
        known.delete()
    elif known is not None:
        return _replayed(known, fingerprint)
    answer = _answered(run)
    IdempotentRequest.objects.create(
        organization=organization,
        key=key,
        fingerprint=fingerprint,
        status=answer.status,
        content_type=answer.content_type,
        body="" if answer.body is None else dumped(without_secrets(answer.body)),
        created_at=wall(),
    )
    return answer


def _lock(organization: Organization, key: str) -> bool:
    digest = sha256(f"{organization.pk}\n{key}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])
        return bool(cursor.fetchone()[0])


def _answered(run: Callable[[], Answer]) -> Answer:
    """The answer; a refusal as an answer too, with what the call had done taken back."""
    try:
        with transaction.atomic():
            return run()
    except Exception as error:
        problem = problem_of(error) or domain_problem(error)
        if problem is None or problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR or problem.status in _NOT_STORED:
            raise
        return answer_of(problem)


def _replayed(known: IdempotentRequest, fingerprint: str) -> Answer:
    if known.fingerprint != fingerprint:
        raise Problem(422, "idempotency_key_reused", "This key came with another request before. Use a new one.")
    body = json.loads(known.body) if known.body else None
    return Answer(known.status, body, known.content_type, {"Idempotent-Replayed": "true"})


def without_secrets(value: Any) -> Any:
    """The body as it may be kept: a `secret` is shown once, in the first answer, and is null from then on."""
    if isinstance(value, Mapping):
        return {name: None if name == "secret" else without_secrets(each) for name, each in value.items()}
    return [without_secrets(each) for each in value] if isinstance(value, list) else value
