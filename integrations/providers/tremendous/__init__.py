"""Tremendous: rewards out as orders, and what became of them by webhook."""

from integrations.description import CredentialField, Method, Provider, SettingField
from integrations.listing import Listing
from integrations.providers.tremendous import inbound, keys, listing, words
from integrations.providers.tremendous.account import check
from integrations.providers.tremendous.adapter import TremendousReward

_ID = r"[A-Z0-9]{4,20}"

PROVIDER = Provider(
    slug="tremendous",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(CredentialField("api_key", words.KEY_LABEL, words.KEY_HELP),),
    setting_fields=(
        SettingField(
            "funding_source_id",
            words.FUNDING_LABEL,
            words.FUNDING_HELP,
            pattern=rf"{_ID}|INVOICE_THEN_BALANCE",
            shape=words.ID_SHAPE,
        ),
        SettingField(
            "campaign_id", words.CAMPAIGN_LABEL, words.CAMPAIGN_HELP, required=False, pattern=_ID, shape=words.ID_SHAPE
        ),
        SettingField(
            "product_ids",
            words.PRODUCTS_LABEL,
            words.PRODUCTS_HELP,
            required=False,
            many=True,
            pattern=_ID,
            shape=words.ID_SHAPE,
        ),
        SettingField(
            "delivery",
            words.DELIVERY_LABEL,
            words.DELIVERY_HELP,
            required=False,
            pattern="EMAIL|LINK",
            shape=words.DELIVERY_SHAPE,
            choices=words.DELIVERY_CHOICES,
        ),
        SettingField(
            "country",
            words.COUNTRY_LABEL,
            words.COUNTRY_HELP,
            required=False,
            pattern="[A-Z]{2}",
            shape=words.COUNTRY_SHAPE,
        ),
    ),
    methods=(Method("TREMENDOUS", words.LABEL, words.EXPLANATION, TremendousReward()),),
    inbound=inbound.TremendousWebhooks(),
    receives_payments=False,
    check=check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label=words.SIGNING_LABEL,
    signing_help=words.SIGNING_HELP,
    check_webhook_secret=keys.check_webhook_secret,
    webhook_events=inbound.EVENTS,
    person_key="tremendous",
    # https://developers.tremendous.com/docs/rate-limiting: ten requests a second.
    requests_per_second={"LIVE": 10, "TEST": 10},
    listings=(Listing(words.LISTED, ("TREMENDOUS",), listing.orders),),
)
