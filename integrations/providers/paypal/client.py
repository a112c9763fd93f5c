"""PayPal's REST API: its addresses, its tokens, and what its refusals mean."""

import hashlib
import re
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from integrations.base import Access, Exchange
from integrations.conversation import Conversation, Said
from integrations.errors import (
    ConnectionNeedsAttention,
    OutcomeUnknown,
    ProviderError,
    ProviderRejected,
    as_sentence,
    error_of_status,
)
from integrations.providers.paypal import words

ADDRESSES = {"LIVE": "https://api-m.paypal.com", "TEST": "https://api-m.sandbox.paypal.com"}
# A token is asked for anew a little before PayPal forgets it.
_SPARE_SECONDS = 60
_BATCH_PATH = re.compile(r"/v1/payments/payouts/([A-Za-z0-9-]{1,30})")
_ITEM_FIELD = re.compile(r"items[\[/](\d+)")

_tokens: dict[tuple[str, str, str], tuple[float, str]] = {}
_lock = threading.Lock()


class AlreadySent(ProviderRejected):
    """The sender_batch_id was used before. `batch_id` is the batch that it was used for, by the refusal's own link."""

    def __init__(self, batch_id: str, exchanges: Sequence[Exchange]) -> None:
        super().__init__("PayPal has this batch already.", exchanges=exchanges)
        self.batch_id = batch_id


class BadItems(ProviderRejected):
    """The whole batch was refused for some of its items, named by their places. Nothing of it was paid."""

    def __init__(self, message: str, places: Mapping[int, str], exchanges: Sequence[Exchange]) -> None:
        super().__init__(message, exchanges=exchanges)
        self.places = places


class PayPal(Conversation):
    name = words.NAME

    def __init__(self, access: Access) -> None:
        super().__init__(access, access.api_base or ADDRESSES[access.mode])

    # Tokens ------------------------------------------------------------------------------------------------------

    def authorization(self) -> str:
        """The process's token for these credentials, or a new one. Two threads may each get one: both are good."""
        with _lock:
            until, token = _tokens.get(self._token_key, (0.0, ""))
        if time.monotonic() < until:
            return f"Bearer {token}"
        return f"Bearer {self._new_token()}"

    def expired(self, said: Said) -> bool:
        if said.status != 401:
            return False
        with _lock:
            _tokens.pop(self._token_key, None)
        return True

    @property
    def _token_key(self) -> tuple[str, str, str]:
        secret = hashlib.sha256(self.access.credentials["client_secret"].encode()).hexdigest()
        return self.address, self.access.credentials["client_id"], secret

    def _new_token(self) -> str:
        pair = f"{self.access.credentials['client_id']}:{self.access.credentials['client_secret']}"
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
        }
        said = self.send("POST", "/v1/oauth2/token", "grant_type=client_credentials", headers, writes=False)
        if said.status != 200:
            raise error_of_status(
                said.status,
                said.headers,
                provider=self.name,
                writes=False,
                said=self.words(said),
                exchanges=self.exchanges,
            )
        token, seconds = said.fields.get("access_token"), said.fields.get("expires_in")
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise self.unreadable(writes=False)
        with _lock:
            _tokens[self._token_key] = (time.monotonic() + seconds - _SPARE_SECONDS, token)
        return token

    # Refusals ----------------------------------------------------------------------------------------------------

    def words(self, said: Said) -> str:
        issues = [str(detail.get("description") or detail.get("issue")) for detail in _details(said)]
        return "; ".join(issues[:3]) or str(said.fields.get("message") or said.fields.get("error_description") or "")

    def quirk(self, said: Said, *, writes: bool) -> ProviderError | None:
        """See the errors of the Payouts API; the shape of a repeated batch was seen in PayPal's sandbox by several."""
        if said.status < 500 and _is_a_repeat(said):
            batch_id = _linked_batch(said)
            if batch_id is None:
                return OutcomeUnknown(words.REPEATED, exchanges=self.exchanges)
            return AlreadySent(batch_id, self.exchanges)
        if said.status == 409 and writes:
            # A request of the same PayPal-Request-Id is still being worked on.
            return OutcomeUnknown(words.BEING_TAKEN_IN, exchanges=self.exchanges)
        return self._refusal(said)

    def _refusal(self, said: Said) -> ProviderError | None:
        """A refusal by which nothing was done."""
        issues = {said.fields.get("name"), *(detail.get("issue") for detail in _details(said))}
        if "INSUFFICIENT_FUNDS" in issues:
            return ProviderRejected(words.INSUFFICIENT_FUNDS, code="insufficient_funds", exchanges=self.exchanges)
        if said.status == 403:
            return ConnectionNeedsAttention(words.NOT_ALLOWED, exchanges=self.exchanges)
        places = {place: field for detail in _details(said) for place, field in _places(detail)}
        if 400 <= said.status < 500 and places:
            return BadItems(
                f"PayPal refused this. PayPal says: {as_sentence(self.words(said))}", places, self.exchanges
            )
        return None


def _details(said: Said) -> list[Mapping[str, Any]]:
    details = said.fields.get("details")
    return [detail for detail in details if isinstance(detail, Mapping)] if isinstance(details, list) else []


def _places(detail: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    field = str(detail.get("field") or "")
    match = _ITEM_FIELD.search(field)
    if match:
        yield int(match[1]), field


def _is_a_repeat(said: Said) -> bool:
    return said.fields.get("name") == "USER_BUSINESS_ERROR" and any(
        "sender_batch_id" in str(detail.get("field") or "").lower() for detail in _details(said)
    )


def _linked_batch(said: Said) -> str | None:
    """The batch that the sender_batch_id was used for: linked in the detail, or at the top as the contract has it."""
    inner = [link for detail in _details(said) for name in ("link", "links") for link in _links(detail.get(name))]
    for link in inner + _links(said.fields.get("links")):
        match = _BATCH_PATH.search(urlsplit(str(link.get("href") or "")).path)
        if match:
            return match[1]
    return None


def _links(value: Any) -> list[Mapping[str, Any]]:
    return [link for link in value if isinstance(link, Mapping)] if isinstance(value, list) else []
