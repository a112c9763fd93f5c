"""Stripe: payments in by webhook, rewards out as account credit."""

from integrations.description import CredentialField, Method, Provider
from integrations.providers.stripe import keys, words
from integrations.providers.stripe.adapter import StripeCredit
from integrations.providers.stripe.inbound import READERS, StripePayments

_credit = StripeCredit()

PROVIDER = Provider(
    slug="stripe",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(CredentialField("api_key", "Secret key", words.KEY_HELP),),
    setting_fields=(),
    methods=(Method("STRIPE_CREDIT", words.STRIPE_CREDIT_LABEL, words.STRIPE_CREDIT_EXPLANATION, _credit),),
    inbound=StripePayments(),
    receives_payments=True,
    check=_credit.check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label="Signing secret",
    signing_help=words.SIGNING_HELP,
    check_webhook_secret=keys.check_webhook_secret,
    webhook_events=tuple(READERS),
    person_key="stripe",
    # https://docs.stripe.com/rate-limits: 100 in live mode, 25 in a sandbox and for each endpoint.
    requests_per_second={"LIVE": 25, "TEST": 25},
)
