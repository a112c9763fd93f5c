"""Stripe: payments in by webhook, rewards out as account credit, coupons and lower prices."""

from integrations.description import Completion, CredentialField, Method, Provider
from integrations.listing import Listing
from integrations.providers.stripe import account, completing, keys, listing, words
from integrations.providers.stripe.credit import StripeCredit
from integrations.providers.stripe.discounts import StripeDiscount
from integrations.providers.stripe.endpoints import create_webhook
from integrations.providers.stripe.history import payments_since
from integrations.providers.stripe.inbound import READERS, StripePayments

PROVIDER = Provider(
    slug="stripe",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(CredentialField("api_key", "Secret key", words.KEY_HELP),),
    setting_fields=(),
    methods=(
        Method("STRIPE_CREDIT", words.STRIPE_CREDIT_LABEL, words.STRIPE_CREDIT_EXPLANATION, StripeCredit()),
        Method(
            "STRIPE_COUPON",
            words.STRIPE_COUPON_LABEL,
            words.STRIPE_COUPON_EXPLANATION,
            StripeDiscount(changes_price=False),
        ),
        Method(
            "STRIPE_SUBSCRIPTION",
            words.STRIPE_SUBSCRIPTION_LABEL,
            words.STRIPE_SUBSCRIPTION_EXPLANATION,
            StripeDiscount(changes_price=True),
        ),
    ),
    inbound=StripePayments(),
    receives_payments=True,
    check=account.check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label="Signing secret",
    signing_help=words.SIGNING_HELP,
    check_webhook_secret=keys.check_webhook_secret,
    webhook_events=tuple(READERS),
    person_key="stripe",
    # https://docs.stripe.com/rate-limits: 100 in live mode, 25 in a sandbox and for each endpoint.
    requests_per_second={"LIVE": 25, "TEST": 25},
    payments_since=payments_since,
    create_webhook=create_webhook,
    completion=Completion(completing.leaves_out, completing.ask),
    listings=(
        Listing(words.LISTED_COUPONS, ("STRIPE_COUPON", "STRIPE_SUBSCRIPTION"), listing.coupons),
        Listing(words.LISTED_CREDITS, ("STRIPE_CREDIT",), listing.customer_credits, of_person=True),
    ),
    unlisted=words.UNLISTED,
)
