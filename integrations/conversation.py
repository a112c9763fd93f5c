"""What an adapter says to a provider that speaks JSON: paced requests, their record, and answers judged in one place."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from integrations.base import Access, Exchange
from integrations.errors import OutcomeUnknown, ProviderError, ProviderRetryable, error_of_failure, error_of_status
from referral_rocket.kit.http import Answer, Caller, HttpFailure

_caller = Caller()


@dataclass(frozen=True)
class Said:
    """An answer. `body` is None where it isn't JSON; numbers with a point are Decimal."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def fields(self) -> Mapping[str, Any]:
        """The body where it is an object, else nothing."""
        return self.body if isinstance(self.body, Mapping) else {}


class Number(str):
    """The text of a decimal number, to stand in a request's JSON as a number, exactly as it is written here."""


class Conversation(ABC):
    """One adapter call. A subclass names the provider and says how it authorises and what its refusals mean.

    `exchanges` is what was said so far, for the attempt's row. Errors are those of `integrations.errors`.
    """

    name: str

    def __init__(self, access: Access, address: str) -> None:
        self.exchanges: list[Exchange] = []
        self.access = access
        self.address = address

    @abstractmethod
    def authorization(self) -> str:
        """The value of the Authorization header."""

    def expired(self, said: Said) -> bool:
        """Whether a refusal only means that the authorisation has to be made anew; it is then asked once more."""
        return False

    def quirk(self, said: Said, *, writes: bool) -> ProviderError | None:
        """The error of an answer that means something else than its status says."""
        return None

    def words(self, said: Said) -> str:
        """The provider's own sentence in a refusal, if there is one."""
        return ""

    def read(self, path: str) -> Said:
        """Ask for something. Whatever happens to the request, it can be repeated."""
        return self._ask("GET", path, None, {}, writes=False)

    def write(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Said:
        """Have something done: what can't be told is OutcomeUnknown."""
        return self._ask(method, path, body, headers or {}, writes=True)

    def prepare(self, method: str, path: str, body: Any) -> Said:
        """Have something made that moves no money and does no harm twice, so that it can be repeated like a read."""
        return self._ask(method, path, body, {}, writes=False)

    def unreadable(self, *, writes: bool) -> ProviderError:
        """The error for a success that isn't what the provider documents."""
        if writes:
            return OutcomeUnknown(
                f"{self.name}'s answer can't be read, so it isn't known whether it acted. It is being looked up.",
                exchanges=self.exchanges,
            )
        return ProviderRetryable(
            f"{self.name}'s answer can't be read. It is tried again by itself.", sent=True, exchanges=self.exchanges
        )

    def send(
        self, method: str, path: str, body: bytes | str | None, headers: Mapping[str, str], *, writes: bool
    ) -> Said:
        """One request, after waiting for its turn; any answer is given back."""
        self.access.pace()
        try:
            answer = _caller.send(method, self.address + path, headers=headers, body=body, record=self.exchanges)
        except HttpFailure as failure:
            raise error_of_failure(failure, provider=self.name, writes=writes, exchanges=self.exchanges) from failure
        return Said(answer.status, answer.headers, _parsed(answer))

    def _ask(self, method: str, path: str, body: Any, headers: Mapping[str, str], *, writes: bool) -> Said:
        said = self._once(method, path, body, headers, writes=writes)
        if self.expired(said):
            said = self._once(method, path, body, headers, writes=writes)
        if 200 <= said.status < 300:
            if said.body is None:
                raise self.unreadable(writes=writes)
            return said
        raise self.quirk(said, writes=writes) or error_of_status(
            said.status,
            said.headers,
            provider=self.name,
            writes=writes,
            said=self.words(said),
            exchanges=self.exchanges,
        )

    def _once(self, method: str, path: str, body: Any, headers: Mapping[str, str], *, writes: bool) -> Said:
        sent = {"Accept": "application/json", "Authorization": self.authorization(), **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
        return self.send(method, path, None if body is None else encoded(body), sent, writes=writes)


def encoded(body: Any) -> str:
    """JSON with each Number as a number. No float is made of an amount on the way."""
    numbers: list[str] = []

    def marked(value: Any) -> Any:
        if isinstance(value, Number):
            numbers.append(value)
            return f"\0{len(numbers) - 1}\0"
        if isinstance(value, Mapping):
            return {name: marked(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [marked(inner) for inner in value]
        # So that no text can pass for the mark of a number.
        return value.replace("\0", "") if isinstance(value, str) else value

    text = json.dumps(marked(body))
    for place, number in enumerate(numbers):
        text = text.replace(f'"\\u0000{place}\\u0000"', number)
    return text


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body, parse_float=Decimal)
    except ValueError:
        return None
