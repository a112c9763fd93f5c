"""Having Stripe send its webhooks to us, by its API, at the press of a button.

Stripe shows an endpoint's signing secret once, in the answer to its making. So an endpoint of ours whose answer was lost
is useless: whoever asks again makes a new one, and then removes the others that we had made for this connection. Until
they are gone Stripe tells each event twice, under one id, which the door stores once. An endpoint that a person made in
Stripe stays as it is.
"""

from collections.abc import Sequence
from typing import Any

from integrations.base import Access
from integrations.errors import OutcomeUnknown, ProviderRetryable
from integrations.providers.stripe import words
from integrations.providers.stripe.client import API_VERSION, Conversation, Missing

OWNER_KEY = "referral_rocket_connection"
_PAGE = 100


def create_webhook(access: Access, address: str, events: Sequence[str]) -> str:
    """The new endpoint's signing secret.

    Raises ProviderRejected where Stripe doesn't take the address or has as many endpoints as it allows; what is in doubt
    is ProviderRetryable, since doing it again does no harm.
    """
    talk = Conversation(access)
    ours = str(access.connection_id)
    try:
        with talk.reading():
            listed = talk.api.webhook_endpoints.list({"limit": _PAGE}).auto_paging_iter()
            old = [each.id for each in listed if (each.to_dict().get("metadata") or {}).get(OWNER_KEY) == ours]
        with talk.writing():
            params: Any = {
                "url": address,
                "enabled_events": list(events),
                "api_version": API_VERSION,
                "description": words.ENDPOINT_DESCRIPTION,
                "metadata": {OWNER_KEY: ours},
            }
            secret = talk.api.webhook_endpoints.create(params).to_dict()["secret"]
            if not isinstance(secret, str) or not secret:
                raise TypeError("no secret")
        for endpoint_id in old:
            _remove(talk, endpoint_id)
    except OutcomeUnknown as unknown:
        raise ProviderRetryable(unknown.message, sent=True, exchanges=talk.exchanges) from unknown
    return secret


def _remove(talk: Conversation, endpoint_id: str) -> None:
    try:
        with talk.writing():
            talk.api.webhook_endpoints.delete(endpoint_id)
    except Missing:
        return
