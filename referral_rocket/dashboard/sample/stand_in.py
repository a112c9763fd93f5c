"""Tells Stripe's stand-in, where one runs, who its customers are. Some of ours it is not told about, on purpose."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import requests
from django.conf import settings

from referral_rocket.dashboard.sample.people import Person

SECONDS = 20


def introduce(everybody: Sequence[Person], *, livemode: bool) -> int:
    """How many were told about; 0 without a stand-in. Those that it knows stay as they are.

    Raises requests.RequestException where the stand-in doesn't answer.
    """
    base = settings.PROVIDER_API_BASES.get("stripe")
    if not base:
        return 0
    parts = urlsplit(base)
    known = {person.email: person for person in everybody if person.known_to_stripe}
    answer = requests.post(
        f"{parts.scheme}://{parts.netloc}/_control/stripe/customers",
        json={
            "livemode": livemode,
            "customers": [
                {
                    "id": person.stripe_id(livemode=livemode),
                    "email": person.email,
                    "name": person.name,
                    "currency": "eur" if person.country == "DE" else "usd",
                }
                for person in known.values()
            ],
        },
        timeout=SECONDS,
    )
    answer.raise_for_status()
    return len(known)
