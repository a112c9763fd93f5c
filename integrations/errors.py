"""Errors named for what the caller does next, and the one function that maps an HTTP outcome to them.

    ProviderRetryable         nothing was done: try again, not before `retry_after` seconds
    ProviderRejected          it was understood and refused: tell a person, who changes something
    ConnectionNeedsAttention  the credentials don't work: stop using the connection until somebody mends it
    OutcomeUnknown            it may have been done: look up before anything else

Messages are written for a marketer, say what to do, and hold no secret.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from referral_rocket.kit.http import Exchange, HttpFailure, NotSent, retry_after_seconds

T = TypeVar("T", str, str | None)


def storable(text: T) -> T:
    """A provider's word without NUL, which PostgreSQL keeps in no text: what became of a reward is written all the same."""
    return text if text is None else text.replace("\0", "\ufffd")


# How each message of a ProviderRetryable ends.
TRIED_AGAIN = "It is tried again by itself."


class ProviderError(Exception):
    """`code` is one of the codes of api.md; `exchanges` is what was said, for the attempt's row."""

    def __init__(self, message: str, *, code: str, exchanges: Sequence[Exchange] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = storable(message)
        self.exchanges = tuple(exchanges)


class ProviderRetryable(ProviderError):
    """Nothing was done. `retry_after` in seconds, None where the provider named no time.

    `sent` is False where the provider can't have seen the request at all.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "provider_unavailable",
        retry_after: float | None = None,
        sent: bool,
        exchanges: Sequence[Exchange] = (),
    ) -> None:
        super().__init__(message, code=code, exchanges=exchanges)
        self.retry_after = retry_after
        self.sent = sent


class ProviderRejected(ProviderError):
    """The provider refused; the same request would be refused again."""

    def __init__(self, message: str, *, code: str = "rejected_by_provider", exchanges: Sequence[Exchange] = ()) -> None:
        super().__init__(message, code=code, exchanges=exchanges)


class ConnectionNeedsAttention(ProviderError):
    """The provider doesn't accept the credentials. Nothing was done."""

    def __init__(self, message: str, *, code: str = "connection_revoked", exchanges: Sequence[Exchange] = ()) -> None:
        super().__init__(message, code=code, exchanges=exchanges)


class OutcomeUnknown(ProviderError):
    """The provider may have acted. `recipient_provider_id` is whom it was for, to be handed back as `sent_to`."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "outcome_unknown",
        recipient_provider_id: str | None = None,
        exchanges: Sequence[Exchange] = (),
    ) -> None:
        super().__init__(message, code=code, exchanges=exchanges)
        self.recipient_provider_id = storable(recipient_provider_id)


class BadSignature(Exception):
    """A webhook that isn't proven to come from the provider. `code` is `missing`, `malformed`, `stale` or `wrong`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class UnreadableEvent(Exception):
    """An authentic webhook whose body isn't what its provider documents. The message names what is missing."""


class UnreadableFile(Exception):
    """A result file that isn't what the provider writes. The message says what is wrong, for whoever uploaded it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SigningKeyUnknown(Exception):
    """A webhook is signed with a key that isn't here yet. A worker fetches it, and the provider delivers again."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class UnusableKey(Exception):
    """What was fetched as a signing key can't be trusted. The message says why."""


class UnknownProvider(Exception):
    """No provider of that name is built."""


class InvalidCredentials(Exception):
    """What was typed in can't be right. `errors` holds (field, code, message) for each bad field."""

    def __init__(self, errors: Sequence[tuple[str, str, str]]) -> None:
        super().__init__("; ".join(message for _, _, message in errors))
        self.errors = tuple(errors)


def error_of_failure(
    failure: HttpFailure, *, provider: str, writes: bool, exchanges: Sequence[Exchange] = ()
) -> ProviderError:
    """The error for a call that got no usable answer. `provider` is the name shown to people.

    A read can be repeated whatever happened to it; a write only where it can't have arrived.
    """
    if writes and not isinstance(failure, NotSent):
        return OutcomeUnknown(
            f"{provider} didn't answer ({failure.reason}), so it isn't known whether it acted. It is being looked up.",
            exchanges=exchanges,
        )
    return ProviderRetryable(
        f"{provider} can't be reached ({failure.reason}). {TRIED_AGAIN}",
        sent=not isinstance(failure, NotSent),
        exchanges=exchanges,
    )


def as_sentence(said: str) -> str:
    """A provider's own words with a full stop, since ours follow."""
    return said if said.endswith((".", "!", "?")) else f"{said}."


def error_of_status(
    status: int,
    headers: Mapping[str, str],
    *,
    provider: str,
    writes: bool,
    said: str = "",
    exchanges: Sequence[Exchange] = (),
) -> ProviderError:
    """The error for an answer that isn't a success. `said` is the provider's own sentence, if it gave one.

    Also serves for a success that can't be read: pass its 2xx or 3xx status.
    """
    words = f" {provider} says: {as_sentence(said)}" if said else ""
    if status == 429:
        return ProviderRetryable(
            f"{provider} asks to be called less often. {TRIED_AGAIN}",
            code="rate_limited",
            retry_after=retry_after_seconds(headers),
            sent=True,
            exchanges=exchanges,
        )
    if status in (401, 403):
        return ConnectionNeedsAttention(
            f"{provider} doesn't accept this connection's credentials. Replace them under Integrations.{words}",
            exchanges=exchanges,
        )
    if 400 <= status < 500 and status != 408:
        return ProviderRejected(f"{provider} refused this.{words}", exchanges=exchanges)
    if writes:
        return OutcomeUnknown(
            f"{provider} had an error ({status}), so it isn't known whether it acted. It is being looked up.",
            exchanges=exchanges,
        )
    return ProviderRetryable(
        f"{provider} has an error ({status}). {TRIED_AGAIN}",
        retry_after=retry_after_seconds(headers),
        sent=True,
        exchanges=exchanges,
    )


class ModeMismatch(Exception):
    """Live credentials in a test organization, or the reverse. `code` is `mode_mismatch`."""

    code = "mode_mismatch"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConnectionRequired(Exception):
    """No connection, several, or not the right one for what is asked. `code` is `connection_required`."""

    code = "connection_required"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
