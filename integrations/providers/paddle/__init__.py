"""Paddle Billing: payments in by webhook."""

from integrations.description import CredentialField, Provider
from integrations.providers.paddle import keys, words
from integrations.providers.paddle.account import check
from integrations.providers.paddle.inbound import READERS, PaddlePayments

PROVIDER = Provider(
    slug="paddle",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(CredentialField("api_key", "API key", words.KEY_HELP),),
    setting_fields=(),
    methods=(),
    inbound=PaddlePayments(),
    receives_payments=True,
    check=check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label="Secret key",
    signing_help=words.SIGNING_HELP,
    check_webhook_secret=keys.check_webhook_secret,
    webhook_events=tuple(READERS),
    person_key="paddle",
    requests_per_second={},
)
