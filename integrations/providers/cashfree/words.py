"""What the product says about Cashfree."""

NAME = "Cashfree"
PURPOSE = "Sees payments, refunds and disputes by webhook. Put the referral code into an order tag, referral_code."

CLIENT_ID_HELP = "Developers → API Keys in Cashfree: the app id."
SIGNER_HELP = "Shown beside the app id. Cashfree also signs its webhooks with it."
SIGNING_HELP = "Cashfree signs its webhooks with the client secret."
ACCEPTED = "Cashfree accepts the credentials."
UNSIGNED = "This connection has no client secret any more."

INQUIRY = "A retrieval request, not a dispute: no money was taken."
NOT_REFUNDED = "The refund isn't through yet; it is taken when Cashfree reports that."
NOT_PAID = "The payment didn't succeed."


def other_type(event_type: str) -> str:
    return f"{event_type} says nothing about a payment, so it isn't used."
