"""What the product says about Razorpay."""

NAME = "Razorpay"
PURPOSE = "Sees payments, refunds and disputes by webhook. Put the referral code into notes as referral_code."

KEY_ID_HELP = "Account & Settings → API Keys in Razorpay: rzp_live_… or rzp_test_…"
PAIR_HELP = "Shown once, when the key is made. Regenerate the key where it is lost."
KEY_SHAPE = "A Razorpay key id begins with rzp_live_ or rzp_test_."
SIGNING_HELP = (
    "The secret that you type in at Razorpay for the webhook with the address below. Choose a long random one."
)
SIGNING_SHAPE = "Paste the webhook secret as it stands at Razorpay, without spaces: 6 to 255 characters."
UNSIGNED = "This connection has no webhook secret yet; put there what you typed in at Razorpay."
ACCEPTED = "Razorpay accepts the key."
UNREADABLE = "Razorpay's answer can't be read. It is tried again by itself."

INQUIRY = "An inquiry, not a dispute: no money was taken."
NOT_CAPTURED = "The payment isn't captured yet; it is taken when Razorpay reports that."
NOT_REFUNDED = "The refund isn't through yet; it is taken when Razorpay reports that."


def other_type(event_type: str) -> str:
    return f"{event_type} says nothing new about a payment, so it isn't used."
