"""Razorpay: payments in by webhook."""

from integrations.description import CredentialField, Provider
from integrations.providers.razorpay import keys, words
from integrations.providers.razorpay.account import check
from integrations.providers.razorpay.inbound import READERS, RazorpayPayments

PROVIDER = Provider(
    slug="razorpay",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(
        CredentialField("key_id", "Key id", words.KEY_ID_HELP, secret=False),
        CredentialField("key_secret", "Key secret", words.PAIR_HELP),
    ),
    setting_fields=(),
    methods=(),
    inbound=RazorpayPayments(),
    receives_payments=True,
    check=check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label="Webhook secret",
    signing_help=words.SIGNING_HELP,
    check_webhook_secret=keys.check_webhook_secret,
    webhook_events=tuple(READERS),
    person_key="razorpay",
    requests_per_second={},
)
