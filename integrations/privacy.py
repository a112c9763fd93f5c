"""What a provider asks in the name of people's privacy: to forget somebody, to say what is kept, to forget an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from integrations.base import Reference


class PrivacyKind(StrEnum):
    FORGET_PERSON = "FORGET_PERSON"
    TELL_PERSON = "TELL_PERSON"
    FORGET_ACCOUNT = "FORGET_ACCOUNT"


@dataclass(frozen=True)
class PrivacyAsked:
    """`account` is what the provider calls the account that it is about; `references` are payments of the person."""

    kind: PrivacyKind
    account: str
    provider_customer_id: str | None = None
    email: str | None = None
    references: tuple[Reference, ...] = ()


class ReadsPrivacy(Protocol):
    """The part of a provider's webhooks that is about privacy. Nothing here calls out or touches the database."""

    types: frozenset[str]

    def read(self, event_type: str, payload: Mapping[str, Any]) -> PrivacyAsked:
        """What is asked. Raises UnreadableEvent."""

    def account(self, credentials: Mapping[str, str], label: str) -> str | None:
        """Which account a connection is of, by its credentials or, once they are forgotten, by what the account was
        called; None where neither says."""
