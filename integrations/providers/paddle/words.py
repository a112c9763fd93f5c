"""What the product says about Paddle."""

NAME = "Paddle"
PURPOSE = (
    "Sees payments, refunds and chargebacks by webhook. Put the referral code into custom data as referral_code, and the"
    " payer's address as email."
)

KEY_HELP = "Developer tools → Authentication in Paddle: an API key (pdl_…) that may read transactions."
KEY_SHAPE = "A Paddle API key begins with pdl_live_apikey_ or pdl_sdbx_apikey_."
SIGNING_HELP = "The secret key (pdl_ntfset_…) that Paddle shows for the notification with the address below."
SIGNING_SHAPE = "Paste the notification's secret key as Paddle shows it, without spaces."
UNSIGNED = "This connection has no webhook secret yet; put the notification's secret key (pdl_ntfset_…) there."
ACCEPTED = "Paddle accepts the key."

INQUIRY = "A warning of a chargeback: no money was taken."
NOT_BACK = "It gives no money back."
NOT_APPROVED = "The refund isn't approved yet; it is taken when Paddle reports that."
TOLD_OTHERWISE = "That the chargeback was reversed is told by the chargeback itself."


def other_type(event_type: str) -> str:
    return f"{event_type} says nothing about a payment, so it isn't used."
