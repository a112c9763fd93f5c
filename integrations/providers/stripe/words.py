"""What the product says about Stripe: names, sentences for a no, and what to do about each."""

NAME = "Stripe"
PURPOSE = "Sees payments by webhook; issues rewards as account credit on a customer's next invoices."
STRIPE_CREDIT_LABEL = "Send rewards with Stripe"
STRIPE_CREDIT_EXPLANATION = (
    "Adds the reward to the customer's credit balance in Stripe; it is used up by the next invoices."
)

KEY_HELP = "Developers → API keys in Stripe. A restricted key needs Customers: write, Account: read and Events: read."
KEY_SHAPE = "A Stripe secret key begins with sk_live_, sk_test_, rk_live_ or rk_test_."
KEY_PUBLISHABLE = "This is a publishable key (pk_…). The secret key (sk_…) or a restricted one (rk_…) is needed."
SIGNING_SHAPE = "Paste the signing secret as Stripe shows it: whsec_ and letters and digits, without spaces."
SIGNING_HELP = "The signing secret (whsec_…) that Stripe shows for the webhook endpoint with the address below."

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
    "This Stripe key isn't allowed to do that. Give it Customers: write and Account: read, or use another key."
)


def currency_mismatch(customers: str, rewards: str) -> str:
    return (
        f"The customer is billed in {customers}, the reward is in {rewards}; Stripe credits only the customer's own"
        " currency. Choose another method."
    )
