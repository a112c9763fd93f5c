"""Wise's REST API: its addresses and what its refusals mean."""

from collections.abc import Mapping
from typing import Any

from integrations.base import Access
from integrations.conversation import Conversation, Said
from integrations.errors import ProviderError, ProviderRejected
from integrations.providers.wise import words

ADDRESSES = {"LIVE": "https://api.wise.com", "TEST": "https://api.wise-sandbox.com"}
# Wise's page "SCA and 2FA": a request that a person has to approve is refused with 403 and this header.
_CHALLENGE = "x-2fa-approval"


class ApprovalNeeded(ProviderRejected):
    """A person has to approve this at Wise. Nothing was done."""


class Wise(Conversation):
    name = words.NAME

    def __init__(self, access: Access) -> None:
        super().__init__(access, access.api_base or ADDRESSES[access.mode])

    def authorization(self) -> str:
        return f"Bearer {self.access.credentials['api_token']}"

    def words(self, said: Said) -> str:
        texts = [str(error.get("message") or error.get("code") or "") for error in _errors(said)]
        return "; ".join(text for text in texts if text)[:500] or str(
            said.fields.get("message") or said.fields.get("error_description") or said.fields.get("error") or ""
        )

    def quirk(self, said: Said, *, writes: bool) -> ProviderError | None:
        if said.status == 403 and any(name.lower() == _CHALLENGE for name in said.headers):
            return ApprovalNeeded(words.APPROVAL, code="needs_a_person", exchanges=self.exchanges)
        if 400 <= said.status < 500 and is_insufficient(said):
            return ProviderRejected(words.INSUFFICIENT_FUNDS, code="insufficient_funds", exchanges=self.exchanges)
        return None


def is_insufficient(said: Said) -> bool:
    """Whether Wise says that the balance doesn't suffice: a code in the errors, or in a funding that was answered 200."""
    codes = [str(said.fields.get("errorCode") or ""), *(str(error.get("code") or "") for error in _errors(said))]
    return any("insufficient" in code.lower() for code in codes)


def _errors(said: Said) -> list[Mapping[str, Any]]:
    errors = said.fields.get("errors")
    return [error for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else []
