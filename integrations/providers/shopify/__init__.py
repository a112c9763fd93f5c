"""Shopify: payments in by webhook, rewards out as gift cards and discount codes."""

from integrations.description import CredentialField, Install, Method, Provider
from integrations.listing import Listing
from integrations.providers.shopify import install, keys, listing, words
from integrations.providers.shopify.account import check
from integrations.providers.shopify.discount import ShopifyDiscount
from integrations.providers.shopify.gift_card import ShopifyGiftCard
from integrations.providers.shopify.history import payments_since
from integrations.providers.shopify.inbound import READERS, ShopifyPayments
from integrations.providers.shopify.privacy import TOPICS, ShopifyPrivacy
from integrations.providers.shopify.subscriptions import subscribe

PROVIDER = Provider(
    slug="shopify",
    name=words.NAME,
    purpose=words.PURPOSE,
    credential_fields=(
        CredentialField("shop", words.SHOP_LABEL, words.SHOP_HELP, secret=False),
        CredentialField("access_token", words.ACCESS_LABEL, words.ACCESS_HELP),
        CredentialField("client_secret", words.APP_LABEL, words.APP_HELP),
    ),
    setting_fields=(),
    methods=(
        Method("SHOPIFY_GIFT_CARD", words.GIFT_CARD_LABEL, words.GIFT_CARD_EXPLANATION, ShopifyGiftCard()),
        Method("SHOPIFY_DISCOUNT", words.DISCOUNT_LABEL, words.DISCOUNT_EXPLANATION, ShopifyDiscount()),
    ),
    inbound=ShopifyPayments(),
    receives_payments=True,
    check=check,
    check_credentials=keys.check_credentials,
    mode_of=keys.mode_of,
    signing_label=None,
    signing_help=words.SIGNING_HELP,
    check_webhook_secret=keys.check_webhook_secret,
    webhook_events=(*READERS, *TOPICS),
    person_key="shopify",
    # Shopify counts points and not requests: points.py.
    requests_per_second={},
    signing_credential="client_secret",
    install=Install(
        is_set_up=install.is_set_up,
        permission_url=install.permission_url,
        credentials=install.credentials,
        exchange=install.exchange,
        pending=install.CODE,
    ),
    subscribe=subscribe,
    payments_since=payments_since,
    privacy=ShopifyPrivacy(),
    listings=(
        Listing(words.LISTED_CARDS, ("SHOPIFY_GIFT_CARD",), listing.gift_cards),
        Listing(words.LISTED_DISCOUNTS, ("SHOPIFY_DISCOUNT",), listing.discounts, own_id=listing.own_code),
    ),
)
