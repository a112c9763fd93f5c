"""Wise: rewards out by batch groups of transfers, and news of them by webhook."""

from integrations.description import CredentialField, Method, Provider, SettingField
from integrations.listing import Listing
from integrations.providers.wise import keys, listing, words
from integrations.providers.wise.adapter import WiseTransfers
from integrations.providers.wise.inbound import EVENTS, WiseInbound, trusted_key
from integrations.providers.wise.payment_file import WiseFile

_transfers = WiseTransfers()

PROVIDER = Provider(
    slug="wise",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(CredentialField("api_token", "API token", words.CREDENTIAL_HELP),),
    setting_fields=(
        SettingField("profile_id", "Profile", words.PROFILE_HELP, pattern=r"\d{1,15}", shape=words.PROFILE_SHAPE),
        SettingField("source_currency", "Paid from", words.SOURCE_HELP, pattern=r"[A-Z]{3}", shape=words.SOURCE_SHAPE),
    ),
    methods=(
        Method("WISE", words.LABEL, words.EXPLANATION, _transfers),
        Method("WISE_FILE", words.FILE_LABEL, words.FILE_EXPLANATION, file=WiseFile()),
    ),
    inbound=WiseInbound(),
    receives_payments=False,
    check=_transfers.check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label=None,
    signing_help="",
    check_webhook_secret=keys.no_webhook_secret,
    webhook_events=EVENTS,
    person_key="wise",
    # Wise documents no number; it answers 429 with Retry-After.
    requests_per_second={},
    trusted_key=trusted_key,
    listings=(Listing(words.LISTED, ("WISE",), listing.transfers, own_id=listing.own_id),),
    unlisted=words.UNLISTED,
)
