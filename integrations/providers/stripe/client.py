"""Stripe's SDK over our own HTTP class, and Stripe's errors in our words.

The SDK builds requests and reads answers; it doesn't retry (our runner does, over hours) and doesn't send.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import stripe

from integrations.base import Access, Exchange
from integrations.errors import (
    ConnectionNeedsAttention,
    OutcomeUnknown,
    ProviderError,
    ProviderRejected,
    ProviderRetryable,
    error_of_failure,
    error_of_status,
)
from integrations.providers.stripe import words
from referral_rocket.kit.http import Caller, HttpFailure

# Shapes change with the version, so it is pinned: what this adapter was written and tested against.
API_VERSION = "2026-10-28.endive"

_caller = Caller()
# The SDK logs the address of every request, and some carry a person's e-mail. Exchanges are kept without it.
logging.getLogger("stripe").setLevel(logging.WARNING)


class _RecordingHttp(stripe.HTTPClient):
    """What the SDK sends through. A transport failure leaves it as our HttpFailure, which the SDK lets pass."""

    name = "referral-rocket"

    def __init__(self, record: list[Exchange], pace: Callable[[], None]) -> None:
        super().__init__()
        self._record = record
        self._pace = pace

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **ignored: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        self._pace()
        answer = _caller.send(method, url, headers=headers or {}, body=post_data or None, record=self._record)
        # A body that isn't UTF-8 is no JSON either, and the SDK then reports it as unreadable.
        return answer.body.decode("utf-8", errors="replace"), answer.status, answer.headers

    def close(self) -> None:
        """Connections belong to the process-wide caller and stay open for the next call."""


class Conversation:
    """One adapter call: an SDK client and the exchanges that it had."""

    def __init__(self, access: Access) -> None:
        self.exchanges: list[Exchange] = []
        self.api = stripe.StripeClient(
            access.credentials["api_key"],
            stripe_version=API_VERSION,
            base_addresses={"api": access.api_base} if access.api_base else None,
            max_network_retries=0,
            http_client=_RecordingHttp(self.exchanges, access.pace),
        ).v1

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Calls inside change nothing at Stripe, so whatever happens to them they can be repeated."""
        with self._judged(writes=False):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Calls inside move money: what can't be told is OutcomeUnknown."""
        with self._judged(writes=True):
            yield

    @contextmanager
    def _judged(self, *, writes: bool) -> Iterator[None]:
        try:
            yield
        except HttpFailure as failure:
            raise error_of_failure(failure, provider=words.NAME, writes=writes, exchanges=self.exchanges) from failure
        except stripe.StripeError as error:
            raise _error(error, writes, self.exchanges) from error
        except (AttributeError, KeyError, TypeError) as error:
            # The SDK doesn't check shapes: JSON that isn't what Stripe documents shows only when a field is read.
            raise _unreadable(writes, self.exchanges) from error


class Missing(ProviderRejected):
    """Stripe has no such object. `code` is `customer_not_found` where it is the customer."""


class Refused(ProviderRejected):
    """Stripe understood and refused. `stripe_code` is Stripe's own code, empty where it gave none."""

    def __init__(self, message: str, *, stripe_code: str, exchanges: list[Exchange]) -> None:
        super().__init__(message, exchanges=exchanges)
        self.stripe_code = stripe_code


def _unreadable(writes: bool, exchanges: list[Exchange]) -> ProviderError:
    if writes:
        return OutcomeUnknown(words.UNREADABLE, exchanges=exchanges)
    return ProviderRetryable(words.UNREADABLE_READ, sent=True, exchanges=exchanges)


def _error(error: stripe.StripeError, writes: bool, exchanges: list[Exchange]) -> ProviderError:
    status = error.http_status or 0
    said = _said(error)
    quirk = _quirk(status, said, exchanges)
    if quirk is not None:
        return quirk
    if status < 400:
        return _unreadable(writes, exchanges)
    return error_of_status(
        status,
        error.headers or {},
        provider=words.NAME,
        writes=writes,
        said=str(said.get("message") or ""),
        exchanges=exchanges,
    )


def _said(error: stripe.StripeError) -> Mapping[str, Any]:
    body = error.json_body
    if body is None and error.http_body:
        try:
            body = json.loads(error.http_body)
        except ValueError:
            return {}
    inner = body.get("error") if isinstance(body, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _quirk(status: int, said: Mapping[str, Any], exchanges: list[Exchange]) -> ProviderError | None:
    """Where Stripe's answers mean something else than their status says. https://docs.stripe.com/api/idempotent_requests"""
    code, kind = said.get("code"), said.get("type")
    if code in ("idempotency_key_in_use", "lock_timeout"):
        return ProviderRetryable(words.BUSY, code="provider_busy", sent=True, exchanges=exchanges)
    if code == "rate_limit" and status == 400:
        return ProviderRetryable(words.BUSY, code="rate_limited", sent=True, exchanges=exchanges)
    if kind == "idempotency_error":
        # The key was used with other parameters: for another customer, perhaps, who may have the money.
        return OutcomeUnknown(words.KEY_REUSED, exchanges=exchanges)
    if status == 403:
        return ConnectionNeedsAttention(words.KEY_WITHOUT_PERMISSION, exchanges=exchanges)
    return _no(said, exchanges) if status in (400, 402, 404) else None


def _no(said: Mapping[str, Any], exchanges: list[Exchange]) -> ProviderError:
    code, message = str(said.get("code") or ""), str(said.get("message") or "")
    if code != "resource_missing":
        return Refused(words.refused(message), stripe_code=code, exchanges=exchanges)
    # The parameter is `id` for whatever the address names, so the sentence has to tell.
    if message.startswith("No such customer:"):
        return Missing(words.CUSTOMER_NOT_FOUND, code="customer_not_found", exchanges=exchanges)
    return Missing(words.refused(message), code="rejected_by_provider", exchanges=exchanges)
