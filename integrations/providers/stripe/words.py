"""What the product says about Stripe: names, sentences for a no, and what to do about each."""

from integrations.errors import as_sentence

NAME = "Stripe"
PURPOSE = "Sees payments by webhook; issues rewards as account credit, as coupons or as a lower price for some months."
STRIPE_CREDIT_LABEL = "Send rewards with Stripe"
STRIPE_CREDIT_EXPLANATION = (
    "Adds the reward to the customer's credit balance in Stripe; it is used up by the next invoices."
)
STRIPE_COUPON_LABEL = "Send rewards as Stripe coupons"
STRIPE_COUPON_EXPLANATION = (
    "Puts a coupon with the campaign's settings on the customer's next invoice, beside the discounts that are there; a"
    " customer without a subscription gets a promotion code that nobody else can use."
)
STRIPE_SUBSCRIPTION_LABEL = "Lower the Stripe subscription's price"
STRIPE_SUBSCRIPTION_EXPLANATION = (
    "Lowers the price of the customer's subscription for as many months as the campaign's coupon settings say."
)

KEY_HELP = (
    "Developers → API keys in Stripe. A restricted key needs write access to Customers, Coupons, Promotion codes,"
    " Subscriptions and Webhook endpoints, and read access to Account, Events, Checkout sessions, Payment intents,"
    " Charges, Disputes and Invoices."
)
KEY_SHAPE = "A Stripe secret key begins with sk_live_, sk_test_, rk_live_ or rk_test_."
KEY_PUBLISHABLE = "This is a publishable key (pk_…). The secret key (sk_…) or a restricted one (rk_…) is needed."
SIGNING_SHAPE = "Paste the signing secret as Stripe shows it: whsec_ and letters and digits, without spaces."
SIGNING_HELP = "The signing secret (whsec_…) that Stripe shows for the webhook endpoint with the address below."

ENDPOINT_DESCRIPTION = "Referral Rocket: referred payments, refunds and disputes"

CUSTOMER_NOT_FOUND = "Stripe has no customer with this e-mail address. Create one in Stripe, or choose another method."
SEVERAL_CUSTOMERS = (
    "Stripe has several customers with this e-mail address. Say which one it is on the participant's page."
)
CUSTOMER_DELETED = (
    "This customer was deleted in Stripe. Choose another customer on the participant's page, or another method."
)
NO_EMAIL = "There is no e-mail address to find the customer by. Add one, or choose another method."
AGED_OUT = "It can't be shown whether the credit was given: no customer of this e-mail address is left to look at."
KEY_REUSED = (
    "Stripe has seen this reward before with other details, so it may have been credited. Search Stripe for the"
    " reward's id in the metadata of customer balance transactions."
)
UNREADABLE = "Stripe's answer can't be read, so it isn't known whether it acted. It is being looked up."
UNREADABLE_READ = "Stripe's answer can't be read. It is tried again by itself."
BUSY = "Stripe is still working on this reward. It is tried again by itself."
KEY_WITHOUT_PERMISSION = (
    "This Stripe key isn't allowed to do that. Give it the permissions named under Replace the credentials, or use a"
    " secret key (sk_…)."
)

LISTED_COUPONS = "All coupons and promotion codes made for rewards are listed."
LISTED_CREDITS = "Credits are listed customer by customer, of those whom a reward went to."
UNLISTED = (
    "Stripe has no list of credits over all customers, so a credit to somebody whom no reward went to in these days"
    " isn't found."
)


def currency_mismatch(customers: str, rewards: str) -> str:
    return (
        f"The customer is billed in {customers}, the reward is in {rewards}; Stripe credits only the customer's own"
        " currency. Choose another method."
    )


# Discounts -------------------------------------------------------------------------------------------------------

ON_NEXT_INVOICE = "On the customer's next invoice."
NO_SUBSCRIPTION = (
    "This customer has no running subscription in Stripe whose price could be lowered. Give account credit or a coupon"
    " instead."
)
NEEDS_MONTHS = (
    "The campaign doesn't say for how many months. Set its coupon to several months under Edit, Coupons, or"
    " choose another method."
)
NEEDS_PERCENT = "The campaign doesn't say how many percent its coupons take off. Set that under Edit, Coupons."
UNREDEEMED = (
    "The customer's subscription has a one-time discount that no invoice has used yet. It would be lost, so this reward"
    " waits: queue it until that one is used, or give account credit instead."
)
UNREDEEMED_REWARD = (
    "An earlier reward's discount is still on the customer's subscription. Queue this one until that is used up, or give"
    " account credit instead."
)
CUSTOMER_BUSY = (
    "It isn't known yet whether Stripe took the last change for this customer. This reward follows by itself once that"
    " is settled."
)


def unredeemed_code(code: str) -> str:
    return (
        f"The customer hasn't used the promotion code {code} of an earlier reward yet. Queue this one until it is used,"
        " or give account credit instead."
    )


def subscription_currency(subscriptions: str, rewards: str) -> str:
    return (
        f"The customer's subscription is billed in {subscriptions}, the reward is in {rewards}. Choose another method, or"
        " let the campaign's coupons take off a percentage."
    )


def promised(code: str) -> str:
    return f"Promotion code {code}, which only this customer can use, once."


def on_invoices(months: int) -> str:
    return f"On the customer's invoices for {months} month{'s' if months > 1 else ''}."


def refused(said: str) -> str:
    return f"Stripe refused this. Stripe says: {as_sentence(said)}" if said else "Stripe refused this."


# Taking back -----------------------------------------------------------------------------------------------------

TAKEN_BACK = "Reward taken back"
TAKEN_BACK_CREDIT = "Taken back from the customer's credit balance."
TAKEN_BACK_DISCOUNT = "The discount was taken back before it was used."
CREDIT_SPENT = "The customer has used the credit up already, so it can't be taken back in Stripe."
CREDIT_GONE = "Stripe doesn't show the credit with this customer any more, so it can't be taken back there."
CREDIT_OF_NOBODY = "It isn't on record which Stripe customer has the credit. Take it back in Stripe, then confirm here."
DISCOUNT_USED = "The discount was used already or its subscription has ended, so it can't be taken back in Stripe."
DISCOUNT_GONE = "The coupon or promotion code isn't in Stripe any more, so it can't be taken back there."
PART_OF_DISCOUNT = "Only part of the reward is to be taken back, and Stripe can't take back part of a discount."
