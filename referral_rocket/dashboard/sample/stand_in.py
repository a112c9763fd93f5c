"""Tells the stand-ins, where they run, who their customers are. Some of ours they are not told about, on purpose."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings

from referral_rocket.dashboard.sample.people import Person

SECONDS = 20


def introduce(everybody: Sequence[Person], *, livemode: bool) -> int:
    """How many Stripe's was told about; 0 without it. Those that it knows stay as they are. Shopify's gets the same.

    Raises requests.RequestException where a stand-in doesn't answer.
    """
    known = {person.email: person for person in everybody if person.known_to_stripe}
    _tell("shopify", livemode, [{"email": email} for email in known])
    told = _tell(
        "stripe",
        livemode,
        [
            {
                "id": person.stripe_id(livemode=livemode),
                "email": person.email,
                "name": person.name,
                "currency": "eur" if person.country == "DE" else "usd",
            }
            for person in known.values()
        ],
    )
    return len(known) if told else 0


def _tell(provider: str, livemode: bool, customers: list[dict[str, Any]]) -> bool:
    """Whether there is a stand-in for the provider."""
    base = settings.PROVIDER_API_BASES.get(provider)
    if not base:
        return False
    parts = urlsplit(base)
    answer = requests.post(
        f"{parts.scheme}://{parts.netloc}/_control/{provider}/customers",
        json={"livemode": livemode, "customers": customers},
        timeout=SECONDS,
    )
    answer.raise_for_status()
    return True
