"""The API log that the dashboard shows: a row for each call that came with a key, written when it is answered."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import DatabaseError, connection
from prometheus_client import Counter

from referral_rocket.accounts.models import ApiKey
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.services import api_key_used
from referral_rocket.api.answers import Answer
from referral_rocket.api.problems import request_id
from referral_rocket.kit.clock import wall
from referral_rocket.kit.ids import uuid7

LONGEST_PATH = 300
LONGEST_CODE = 60
NOTED_EVERY = timedelta(minutes=1)

log = structlog.get_logger(__name__)
unwritten = Counter("rocket_api_log_unwritten_total", "API calls whose line in the log could not be written")

# One statement that also sets the tenant: a transaction of four would cost 3.4 times as much.
_WRITE = """
INSERT INTO api_apirequest (id, organization_id, at, request_id, key_id, method, path, status, code, duration_ms)
SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM set_config('app.organization', %s, true)
"""


def note(*, key: ApiKey, method: str, path: str, answer: Answer, seconds: float) -> None:
    """Write the call down. The path goes without its query, which may hold addresses. Never fails the call."""
    body = answer.body if isinstance(answer.body, Mapping) else {}
    code = str(body.get("code", "")) if answer.status >= 400 else ""
    row: list[str | int | UUID | datetime] = [
        uuid7(),
        key.organization_id,
        wall(),
        request_id(),
        key.pk,
        method,
        path[:LONGEST_PATH],
        answer.status,
        code[:LONGEST_CODE],
        round(seconds * 1000),
        str(key.organization_id),
    ]
    try:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, row)
        # Asked here too, since opening a transaction for nothing would cost each call three statements.
        if key.last_used_at is None or wall() - key.last_used_at > NOTED_EVERY:
            with tenant(key.organization):
                api_key_used(key=key)
    except DatabaseError as error:
        unwritten.inc()
        log.warning("api_log_unwritten", error=type(error).__name__)
