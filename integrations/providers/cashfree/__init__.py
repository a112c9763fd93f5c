"""Cashfree: payments in by webhook."""

from integrations.description import CredentialField, Provider
from integrations.providers.cashfree import keys, words
from integrations.providers.cashfree.account import check
from integrations.providers.cashfree.inbound import TYPES, CashfreePayments

PROVIDER = Provider(
    slug="cashfree",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(
        CredentialField("client_id", "Client id", words.CLIENT_ID_HELP, secret=False),
        CredentialField("client_secret", "Client secret", words.SIGNER_HELP),
    ),
    setting_fields=(),
    methods=(),
    inbound=CashfreePayments(),
    receives_payments=True,
    check=check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label=None,
    signing_help=words.SIGNING_HELP,
    check_webhook_secret=keys.check_webhook_secret,
    webhook_events=TYPES,
    person_key="cashfree",
    requests_per_second={},
    signing_credential="client_secret",
)
