"""What a connection's check must make of a provider's answers."""

from uuid import uuid4

import pytest

from integrations.base import Access
from integrations.description import Provider
from integrations.errors import ConnectionNeedsAttention, ProviderRetryable
from tests.integrations.stand_in import RunningSandbox


def access(sandbox: RunningSandbox, provider: str, credentials: dict[str, str], mode: str = "LIVE") -> Access:
    return Access(
        connection_id=uuid4(),
        provider=provider,
        mode=mode,
        credentials=credentials,
        settings={},
        api_base=f"{sandbox.url}/{provider}",
    )


def assert_works(provider: Provider, mine: Access, *, account: str, currency: str | None) -> None:
    checked = provider.check(mine)
    assert (checked.account, checked.currency, checked.mode) == (account, currency, mine.mode)
    assert mine.credentials[provider.credential_fields[-1].name] not in checked.message


def assert_refused(provider: Provider, mine: Access) -> None:
    with pytest.raises(ConnectionNeedsAttention) as refused:
        provider.check(mine)
    # Credentials go in and never come out, not even into what is kept of the exchange.
    secret = mine.credentials[provider.credential_fields[-1].name]
    assert secret not in repr(refused.value.exchanges) + refused.value.message


def assert_tried_again(provider: Provider, mine: Access, sandbox: RunningSandbox) -> None:
    for kind in ("rate_limited", "unavailable", "reset", "server_error"):
        sandbox.fault(kind, provider=provider.slug)
        with pytest.raises(ProviderRetryable):
            provider.check(mine)
    provider.check(mine)
