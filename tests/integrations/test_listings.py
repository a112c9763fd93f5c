"""What each provider lists of rewards: each that was issued, once, as it is known here, and nothing of anybody else."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest

from integrations.base import Access, IssueOrder, Recipient
from integrations.errors import ConnectionNeedsAttention, ProviderRetryable
from integrations.listing import Listed, Listing
from integrations.providers.shopify.codes import discount_code
from integrations.providers.wise.transfers import own_transfer_id
from integrations.registry import adapter_of, methods, provider_of, provider_of_method
from integrations.sandbox.tremendous.shapes import CAMPAIGN
from integrations.sandbox.wise.shapes import profile_of
from referral_rocket.kit.clock import wall
from tests.integrations.stand_in import RunningSandbox

EMAIL = "friend@example.com"
WISE_TOKEN = "ab12cd34-ef56-4a78-9b01-23456789abcd"


@dataclass(frozen=True)
class Account:
    """How a provider's stand-in is reached, and what it needs to know before anything is issued."""

    credentials: dict[str, str]
    settings: dict[str, object]
    prepare: Callable[[RunningSandbox], object]


ACCOUNTS = {
    "stripe": Account({"api_key": "sk_test_listing0001"}, {}, lambda sandbox: sandbox.add_customer(EMAIL)),
    "shopify": Account(
        {"shop": "stand-in-test.myshopify.com", "access_token": "shpat_standin_test_0001", "client_secret": "x"},
        {},
        lambda sandbox: sandbox.post("shopify/customers", customers=[{"email": EMAIL}]),
    ),
    "tremendous": Account(
        {"api_key": "TEST_listing0001"},
        {"funding_source_id": "BALANCE", "campaign_id": CAMPAIGN},
        lambda sandbox: None,
    ),
    "wise": Account(
        {"api_token": WISE_TOKEN},
        {"profile_id": str(profile_of(WISE_TOKEN)), "source_currency": "EUR"},
        lambda sandbox: None,
    ),
}
LISTED = sorted(
    method for provider in ACCOUNTS for listing in provider_of(provider).listings for method in listing.methods
)
# Its coupon goes on a subscription, and is listed as the others are.
LISTED.remove("STRIPE_SUBSCRIPTION")


def access_of(sandbox: RunningSandbox, method: str) -> Access:
    provider = provider_of_method(method).slug
    account = ACCOUNTS[provider]
    account.prepare(sandbox)
    return Access(uuid4(), provider, "TEST", account.credentials, account.settings, f"{sandbox.url}/{provider}")


def order() -> IssueOrder:
    reward_id = uuid4()
    return IssueOrder(
        reward_id,
        f"{reward_id}:1",
        1200,
        "USD",
        Recipient(EMAIL, "A Friend"),
        "Reward from Friends",
        group_key=str(uuid4()),
    )


def listing_of(method: str) -> Listing:
    return next(each for each in provider_of_method(method).listings if method in each.methods)


def everything(access: Access, method: str, person: str = "", **since: float) -> list[Listed]:
    listing = listing_of(method)
    found, cursor = [], ""
    while True:
        page = listing.page(access, wall() - timedelta(**(since or {"hours": 1})), cursor, person)
        found += page.rows
        cursor = page.cursor
        if not cursor:
            return found


def issue(sandbox: RunningSandbox, access: Access, method: str, count: int) -> dict[str, IssueOrder]:
    """The orders that were issued, by the provider's reference."""
    sent = {}
    for number in range(count):
        one = order()
        if method == "STRIPE_COUPON":
            # A customer has one discount of ours at a time.
            one = replace(one, recipient=Recipient(f"friend{number}@example.com", "A Friend"))
            sandbox.add_customer(f"friend{number}@example.com")
        sent[str(adapter_of(method).issue(access, one).provider_reference)] = one
    return sent


def person(sandbox: RunningSandbox, method: str) -> str:
    return str(sandbox.add_customer(EMAIL)) if listing_of(method).of_person else ""


@pytest.mark.parametrize("method", LISTED)
def test_it_works(sandbox: RunningSandbox, method: str) -> None:
    access = access_of(sandbox, method)
    sent = issue(sandbox, access, method, 3)
    listed = everything(access, method, person(sandbox, method))

    assert sorted(each.reference for each in listed) == sorted(sent)
    for each in listed:
        one = sent[each.reference]
        own = {
            "SHOPIFY_DISCOUNT": discount_code(one.idempotency_key),
            "WISE": own_transfer_id(one.idempotency_key, str(one.group_key)),
        }
        assert each.own_id == own.get(method, "")
        assert each.reward_id == (None if method in own else one.reward_id)
        assert (each.amount, each.currency, each.stands, each.takes_back) == (1200, "USD", True, False)
        assert abs(wall() - each.made_at) < timedelta(minutes=1)


@pytest.mark.parametrize("method", LISTED)
def test_what_is_older_is_left_out(sandbox: RunningSandbox, method: str) -> None:
    access = access_of(sandbox, method)
    issue(sandbox, access, method, 1)

    assert everything(access, method, person(sandbox, method), hours=-1) == []


@pytest.mark.parametrize("method", LISTED)
def test_its_refusals_have_their_meanings(sandbox: RunningSandbox, method: str) -> None:
    access = access_of(sandbox, method)
    sandbox.fault("rate_limited", provider=access.provider, times=1)
    with pytest.raises(ProviderRetryable):
        everything(access, method, "cus_1")
    sandbox.clear_faults()
    sandbox.fault("revoked", provider=access.provider, times=1)
    with pytest.raises(ConnectionNeedsAttention):
        everything(access, method, "cus_1")


def test_every_adapters_provider_lists_or_says_why_not() -> None:
    for method in methods():
        if method.adapter is not None:
            provider = provider_of_method(method.slug)
            assert any(method.slug in each.methods for each in provider.listings) or provider.unlisted
