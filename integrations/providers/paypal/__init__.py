"""PayPal: rewards out by the Payouts API, and news of them by webhook."""

from integrations.description import CredentialField, Method, Provider
from integrations.providers.paypal import certificates, keys, words
from integrations.providers.paypal.adapter import PayPalPayouts
from integrations.providers.paypal.inbound import EVENTS, PayPalInbound
from integrations.providers.paypal.payment_file import PayPalFile

_payouts = PayPalPayouts()

PROVIDER = Provider(
    slug="paypal",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(
        CredentialField("client_id", "Client ID", words.CLIENT_ID_HELP, secret=False),
        CredentialField("client_secret", "Secret", words.SECRET_HELP),
        CredentialField("webhook_id", "Webhook ID", words.WEBHOOK_ID_HELP, secret=False, required=False),
    ),
    setting_fields=(),
    methods=(
        Method("PAYPAL", words.LABEL, words.EXPLANATION, _payouts),
        Method("PAYPAL_FILE", words.FILE_LABEL, words.FILE_EXPLANATION, file=PayPalFile()),
    ),
    inbound=PayPalInbound(),
    receives_payments=False,
    check=_payouts.check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label=words.WEBHOOK_LABEL,
    signing_help=words.SIGNING_HELP,
    check_webhook_secret=keys.check_webhook_id,
    webhook_events=EVENTS,
    person_key="paypal",
    # 400 calls a minute, of both modes (providers.md).
    requests_per_second={"LIVE": 400 / 60, "TEST": 400 / 60},
    signing_credential="webhook_id",
    trusted_key=certificates.trusted,
    unlisted=words.UNLISTED,
)
