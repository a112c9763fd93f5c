import pytest

from integrations.errors import (
    ConnectionNeedsAttention,
    OutcomeUnknown,
    ProviderRejected,
    ProviderRetryable,
    error_of_failure,
    error_of_status,
)
from referral_rocket.kit.http import NoAnswer, NotSent


def of_status(status: int, *, writes: bool, **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of_status(status, named, provider="Acme", writes=writes, said="No such thing.")


def test_it_works():
    error = of_status(429, writes=True, Retry_After="7")

    assert isinstance(error, ProviderRetryable)
    assert (error.code, error.retry_after, error.sent) == ("rate_limited", 7, True)
    assert "Acme" in error.message


@pytest.mark.parametrize(
    ("status", "writing", "reading"),
    [
        (200, OutcomeUnknown, ProviderRetryable),
        (302, OutcomeUnknown, ProviderRetryable),
        (400, ProviderRejected, ProviderRejected),
        (401, ConnectionNeedsAttention, ConnectionNeedsAttention),
        (403, ConnectionNeedsAttention, ConnectionNeedsAttention),
        (404, ProviderRejected, ProviderRejected),
        (408, OutcomeUnknown, ProviderRetryable),
        (422, ProviderRejected, ProviderRejected),
        (429, ProviderRetryable, ProviderRetryable),
        (500, OutcomeUnknown, ProviderRetryable),
        (502, OutcomeUnknown, ProviderRetryable),
        (503, OutcomeUnknown, ProviderRetryable),
    ],
)
def test_status(status, writing, reading):
    assert type(of_status(status, writes=True)) is writing
    assert type(of_status(status, writes=False)) is reading


@pytest.mark.parametrize(
    ("failure", "writing", "sent"),
    [(NotSent("refused"), ProviderRetryable, False), (NoAnswer("cut"), OutcomeUnknown, True)],
)
def test_failure(failure, writing, sent):
    reading = error_of_failure(failure, provider="Acme", writes=False)

    assert type(error_of_failure(failure, provider="Acme", writes=True)) is writing
    assert type(reading) is ProviderRetryable
    assert reading.sent is sent


def test_a_refusal_repeats_what_the_provider_said():
    assert of_status(400, writes=True).message == "Acme refused this. Acme says: No such thing."
