"""What the product says about PayPal: names, sentences for a no, and what to do about each."""

NAME = "PayPal"
PURPOSE = "Pays rewards out to PayPal accounts, in batches, by e-mail address."
LABEL = "Send rewards with PayPal"
EXPLANATION = (
    "Pays each reward to the person's PayPal account. Somebody without one gets a mail and has 30 days to claim it."
)
FILE_LABEL = "Pay with a file for PayPal"
FILE_EXPLANATION = "A mass-payment file for you to upload in PayPal. Afterwards you upload PayPal's report here, and each reward is marked."
CLIENT_ID_HELP = "Apps & Credentials in PayPal's developer dashboard. The app needs the feature Payouts."
SECRET_HELP = "The secret key beside the client ID. Live and sandbox have their own."  # noqa: S105 - a sentence
WEBHOOK_ID_HELP = (
    "Optional, and known only once a webhook was added in PayPal with the address that is shown after connecting."
)
CREDENTIAL_SHAPE = "Paste it as PayPal shows it: letters, digits, - and _, without spaces."
WEBHOOK_LABEL = "Webhook ID"
SIGNING_HELP = "The ID that PayPal shows beside the webhook with the address below."
SIGNING_SHAPE = "A webhook ID is 10 to 50 letters and digits, as PayPal shows it beside the webhook."

NO_ADDRESS = (
    "There is no address to pay to. Add an e-mail address or the person's PayPal address, or choose another method."
)
ADDRESS_SHAPE = "PayPal can't pay to this address. Correct it on the participant's page, or choose another method."
NOT_ALLOWED = (
    "This PayPal app isn't allowed to make payouts. Have PayPal turn the feature Payouts on for the account, and tick it"
    " in the app."
)
INSUFFICIENT_FUNDS = "There isn't enough money on the PayPal account. Add some, then issue again."
REPEATED = "PayPal has this batch already, and doesn't say which it is. Look for it in PayPal's activity."
BEING_TAKEN_IN = "PayPal is still taking the batch in. It is looked at again by itself."
UNKNOWN_STATE = "PayPal reports a state that isn't known here. Look at the payout in PayPal."
CANT_BE_SHOWN = (
    "It can't be shown whether PayPal paid this: it doesn't tell its own account's ID. Tick Log in with PayPal, PayPal"
    " account ID, in the app, or look for the reward's id in PayPal's activity."
)
TOO_OLD = (
    "It can't be shown any more whether PayPal paid this: it forgets after 30 days. Look for it in PayPal's activity."
)
GONE = "PayPal doesn't know this payout any more. Look for it in PayPal's activity."
NOT_WHOLE = "Only part of this reward is to be taken back, and PayPal can only cancel all of a payout."
CLAIMED = "The money was claimed already, so PayPal can't take it back."
TAKEN_BACK = "The payout was cancelled before anybody claimed it."

PAID = "Paid to the PayPal account."
PENDING = "PayPal is still processing this payout. It is looked at again by itself."
UNCLAIMED = "The person has no PayPal account for this address yet, and has 30 days from the payout to claim the money."
ON_HOLD = "PayPal is reviewing this payout. It is looked at again by itself."
FAILED = "PayPal could not make this payout, and no money left the account."
BLOCKED = "PayPal blocked this payout, and no money left the account."
RETURNED = "The money wasn't claimed within 30 days, or was refused, and came back. Ask the person for another address."
REFUNDED = "The person refunded this payout, and the money came back."
REVERSED = "PayPal reversed this payout, and the money came back."

UNLISTED = (
    "PayPal has no list of payouts: each that is on record here is looked up, and one that isn't can't be found from"
    " here. PayPal's activity download shows it."
)


def unsupported_currency(currency: str) -> str:
    return f"PayPal doesn't pay out in {currency}. Choose another method."


def whole_units(currency: str) -> str:
    return f"PayPal takes {currency} only in whole units. Choose another method."
