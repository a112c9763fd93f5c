"""The sample organization's connections: one to the stand-in of each provider that is built, as if checked long ago.

Credentials are made up, and only the stand-ins take them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from integrations.base import AccountCheck
from integrations.models import Connection
from integrations.services import connection_checked, connection_create
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock

CONNECTED_DAYS_AGO = 90


@dataclass(frozen=True)
class Account:
    """What each provider's stand-in calls its account, and what it is reached with. `{mode}` is `live` or `test`."""

    provider: str
    credentials: Mapping[str, str]
    account: str
    message: str
    webhook_secret: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


_NAME = "Referral Rocket stand-in{twin}"
STRIPE = Account(
    "stripe",
    {"api_key": "sk_{mode}_sampleAcmeCoffee0000"},
    _NAME + " (acct_standin{mode})",
    "Stripe accepts the key.",
    webhook_secret="whsec_sampleAcmeCoffee{Mode}",  # noqa: S106 - made up
)
OTHERS = (
    Account(
        "shopify",
        {
            "shop": "{shop}.myshopify.com",
            "access_token": "shpat_{mode}_sampleAcmeCoffee",
            "client_secret": "shpss_{mode}_sampleAcmeCoffee",
        },
        "Stand-in shop{twin} ({shop}.myshopify.com)",
        "Connected to Stand-in shop{twin}.",
    ),
    Account(
        "razorpay",
        {"key_id": "rzp_{mode}_sampleAcmeCoffee", "key_secret": "sampleAcmeCoffee{Mode}"},
        "rzp_{mode}_sampleAcmeCoffee",
        "Razorpay accepts the key.",
        webhook_secret="sample-razorpay-{mode}",  # noqa: S106 - made up
    ),
    Account(
        "cashfree",
        {"client_id": "{TEST}SampleAcmeCoffee", "client_secret": "cfsk_ma_{prod}_sampleAcmeCoffee"},
        "{TEST}SampleAcmeCoffee",
        "Cashfree accepts the credentials.",
    ),
    Account(
        "tremendous",
        {"api_key": "{KEY}_sampleAcmeCoffee0000"},
        _NAME + " (STANDIN{MODE}1)",
        "Connected to " + _NAME + ". Funding sources: balance (BALANCE00001, 50000 USD left)."
        " Campaigns: Referral rewards (IVM0I3WNJJL0).",
        webhook_secret="sample-{mode}-private-key",  # noqa: S106 - made up
        settings={"funding_source_id": "BALANCE00001", "campaign_id": "IVM0I3WNJJL0"},
    ),
    Account(
        "paypal",
        {"client_id": "SampleAcmeCoffee{Mode}0000", "client_secret": "SampleAcmeCoffeeSecret{Mode}"},
        "Referral Rocket stand-in ({payer_id})",
        "Connected to Referral Rocket stand-in ({payer_id}).",
        webhook_secret="SAMPLEACME{MODE}01",  # noqa: S106 - made up
    ),
    Account(
        "wise",
        {"api_token": "sample-acme-coffee-{mode}-0000"},
        "Referral Rocket stand-in ({profile_id})",
        "Connected to Referral Rocket stand-in. The balance in USD is $100,000.00.",
        settings={"profile_id": "{profile_id}", "source_currency": "USD"},
    ),
)


def connect(account: Account, *, organization: Organization, actor: str, now: datetime) -> Connection:
    """A connection that was made and checked 90 days ago. The provider isn't asked."""
    words = _words(organization.mode)
    connected = now - timedelta(days=CONNECTED_DAYS_AGO)
    secret = account.webhook_secret
    with clock.as_of(connected):
        connection = connection_create(
            organization=organization,
            provider=account.provider,
            credentials={name: value.format_map(words) for name, value in account.credentials.items()},
            webhook_secret=secret.format_map(words) if secret else None,
            settings={name: value.format_map(words) for name, value in account.settings.items()},
            actor=actor,
        )
        outcome = AccountCheck(
            account=account.account.format_map(words),
            currency="USD",
            mode=organization.mode,
            message=account.message.format_map(words),
        )
        connection_checked(connection=connection, outcome=outcome, actor=actor)
    Connection.objects.filter(pk=connection.pk).update(created_at=connected)
    connection.refresh_from_db()
    return connection


def _words(mode: str) -> Mapping[str, str]:
    is_live = mode == "LIVE"
    return {
        "mode": mode.lower(),
        "Mode": mode.capitalize(),
        "MODE": mode,
        "prod": "prod" if is_live else "test",
        "TEST": "" if is_live else "TEST",
        "KEY": "PROD" if is_live else "TEST",
        "shop": "stand-in" if is_live else "stand-in-test",
        "twin": "" if is_live else " (test)",
        # What the stand-ins make of these credentials.
        "payer_id": "L364TKZ6GD5K6" if is_live else "V2C7FKD8H8Y74",
        "profile_id": "26222004" if is_live else "60243085",
    }
