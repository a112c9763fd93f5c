from collections.abc import Sequence
from typing import Any

from integrations.models import Connection
from integrations.selectors import webhook_url
from referral_rocket.kit.clock import rfc3339


def connections(found: Sequence[Connection]) -> list[dict[str, Any]]:
    return [connection(each) for each in found]


def connection(found: Connection) -> dict[str, Any]:
    return {
        "connection_id": str(found.pk),
        "provider": found.provider,
        "status": found.status,
        "settings": found.settings,
        "webhook_url": webhook_url(found),
        "last_event_at": rfc3339(found.last_event_at),
        "account": found.account or None,
        "attention_reason": found.attention_reason or None,
        "check_pending": found.check_due_at is not None,
        "check_message": found.check_message or None,
        "checked_at": rfc3339(found.checked_at),
        "created_at": rfc3339(found.created_at),
    }
