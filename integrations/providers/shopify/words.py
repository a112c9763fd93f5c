"""What the product says about Shopify: names, sentences for a no, and what to do about each."""

NAME = "Shopify"
PURPOSE = "Sees orders, refunds and disputes by webhook; issues rewards as a shop's gift cards or discount codes."
GIFT_CARD_LABEL = "Send Shopify gift cards"
GIFT_CARD_EXPLANATION = (
    "Makes a gift card for the customer, in the shop's currency. Shopify mails it to them; it is spent at checkout like"
    " money."
)
DISCOUNT_LABEL = "Make Shopify discount codes"
DISCOUNT_EXPLANATION = (
    "Makes a code that only this customer can use, once. Shopify mails nobody: you find the code on the reward and tell"
    " them."
)

SHOP_LABEL = "Shop"
SHOP_HELP = "The shop's own address at Shopify, such as acme.myshopify.com; not the address that customers see."
ACCESS_LABEL = "Admin API access token"
ACCESS_HELP = (
    "Settings → Apps → Develop apps → your app → API credentials in Shopify. The app needs read_customers,"
    " read_orders, read_shopify_payments_disputes, read_gift_cards, write_gift_cards, read_discounts and write_discounts."
)
APP_LABEL = "App's client secret"
APP_HELP = "On the same page in Shopify. Webhooks are verified with it."
SHOP_SHAPE = "Enter the shop's address at Shopify: letters, digits and hyphens, then .myshopify.com."
ACCESS_SHAPE = "An access token begins with shp, such as shpat_…, and has no spaces."
APP_SHAPE = "Paste the client secret as Shopify shows it, without spaces."
SIGNING_HELP = "Shopify signs webhooks with the app's client secret."
UNSIGNED = "This connection has no client secret to check webhooks with; enter the app's under Credentials."

INQUIRY = "An inquiry, not a dispute: no money was taken."
DISPUTE_WITHOUT_ORDER = "The dispute names no order, so it is of no payment that is known here."
NOTHING_REFUNDED = "No money went back with it."
CANCELLED_WITHOUT_REFUND = "The order was cancelled and no money went back; a refund is taken when Shopify reports it."

LISTED_CARDS = "All gift cards made for rewards are listed, known by their note."
LISTED_DISCOUNTS = "All discount codes made for rewards are listed, known by their title."


def other_topic(topic: str) -> str:
    return f"{topic} says nothing new about a payment, so it isn't used."


NO_EMAIL = "There is no e-mail address to find the customer by. Add one, or choose another method."
CUSTOMER_NOT_FOUND = (
    "The shop has no customer with this e-mail address. Once they have an account or an order there, try again; or"
    " choose another method."
)
INVALID_RECIPIENT = "Shopify doesn't take this customer as the recipient. Look at the customer in Shopify."
GIFT_CARDS_NOT_ENABLED = (
    "This connection may not make gift cards: the app lacks read_gift_cards and write_gift_cards, or the shop's plan has no"
    " gift cards. Allow them in Shopify, or choose another method."
)
DISCOUNTS_NOT_ENABLED = (
    "This connection may not make discount codes: the app lacks read_discounts and write_discounts. Allow them in Shopify,"
    " or choose another method."
)
ORDERS_NOT_ALLOWED = (
    "This connection may not look at past orders and disputes: the app lacks read_orders or"
    " read_shopify_payments_disputes. Allow them in Shopify, then try again."
)
WITHOUT_PERMISSION = "The app isn't allowed to do that in Shopify. Give it the permission that Shopify names: {said}"
SHOP_INACTIVE = "This shop isn't active at Shopify (unpaid, paused or closed), so nothing can be issued through it."
SHOP_UNKNOWN = "Shopify knows no such shop, or the shop has moved. Check the shop's address under Integrations."
GIFT_CARD_LIMIT = (
    "The amount is above what the shop's settings allow for one gift card. Raise the limit, or choose another method."
)
REFUSED = "Shopify refused this. Shopify says: {said}"
CODE_OF_ANOTHER = (
    "Shopify has another {thing} under the code that this reward would get, so nothing was made. Choose another method."
)
BUSY = "The shop is asked too often for its plan. It is tried again by itself."
INTERNAL = "Shopify had an error of its own, so it isn't known whether it acted. It is being looked up."
UNREADABLE = "Shopify's answer can't be read, so it isn't known whether it acted. It is being looked up."
UNREADABLE_READ = "Shopify's answer can't be read. It is tried again by itself."
TAKEN_NOT_FOUND = "Shopify says that this reward's code is taken, and doesn't show it yet. It is being looked up."
TOO_MANY_CARDS = "So many gift cards were made lately that this one can't be told apart yet. It is looked up again."

GIFT_CARD_ISSUED = "A gift card was made for the customer; Shopify mails it to them."
DISCOUNT_ISSUED = "The discount code {code} was made for the customer. Shopify doesn't mail it: tell them."
GIFT_CARD_TAKEN_BACK = "The unused gift card was disabled."
DISCOUNT_TAKEN_BACK = "The unused discount code was ended."
GIFT_CARD_SPENT = "The gift card has been used, so it can't be taken back any more."
DISCOUNT_USED = "The discount code has been used, so it can't be taken back any more."
ONLY_WHOLE = "Only a part is to be taken back, and Shopify takes back a whole one only."
GONE = "Shopify doesn't have it any more."
SPENT_MEANWHILE = (
    "The gift card was used while it was being disabled: {rest} of {whole} were left on it and are gone from the customer."
    " Settle the rest with them."
)


def currency_mismatch(shops: str, rewards: str) -> str:
    return (
        f"The shop's currency is {shops}, the reward is in {rewards}; Shopify makes gift cards and discounts in the shop's"
        " own currency. Choose another method."
    )


def connected(shop: str, *, development: bool, missing: list[str]) -> str:
    told = f"Connected to {shop}{', a development shop' if development else ''}."
    if missing:
        told += (
            f" The app lacks {', '.join(missing)}: what needs them will be refused until they are allowed in Shopify."
        )
    return told


INSTALL_REFUSED = "This answer isn't the shop's, or is too old. Start the installation again."
CODE_USED_UP = "Shopify doesn't take the installation's code any more. Install the app in the shop once more."
NOT_SUBSCRIBED = "Shopify doesn't send webhooks here about {topics}. Shopify says: {said}"
