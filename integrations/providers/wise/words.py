"""What the product says about Wise: names, sentences for a no, and what to do about each."""

from integrations.errors import as_sentence

NAME = "Wise"
PURPOSE = "Pays rewards out to bank accounts in many countries, from your Wise balance."
LABEL = "Send rewards with Wise"
EXPLANATION = (
    "Sends each reward by Wise to the person's e-mail address, where they say which bank account it goes to, or to their"
    " saved recipient."
)
CREDENTIAL_HELP = (
    "Settings → Connect and manage apps → API tokens in Wise, with full access. Sandbox and live have their own."
)
CREDENTIAL_SHAPE = "A Wise API token is 20 to 200 letters, digits and -, without spaces."
PROFILE_HELP = "The number of the profile that pays. Check now tells which profiles the token may use."
PROFILE_SHAPE = "A profile's number is digits only."
SOURCE_HELP = "The balance that rewards are paid from, such as EUR. People get their reward's own currency."
SOURCE_SHAPE = "A currency is three capital letters."

NO_SETTINGS = "Say under Integrations which Wise profile pays, and from which currency."
NO_ADDRESS = "There is no e-mail address to pay to. Add one, or choose another method."
NO_SAVED_RECIPIENT = (
    "There is no number of a recipient saved in Wise. Add it on the participant's page, or choose another method."
)
FILE_LABEL = "Pay with a file for Wise"
FILE_EXPLANATION = "A batch payment file for you to upload in Wise. Afterwards you upload Wise's statement here, and each reward is marked."
NO_NAME = (
    "Wise needs the person's full name, first and last. Add it on the participant's page, or choose another method."
)
NO_ROUTE = "Wise can't pay this currency from yours."
NO_RECIPIENT = "Wise can't make a recipient of this person."
INSUFFICIENT_FUNDS = "There isn't enough money on the Wise balance. Add some, then issue again."
APPROVAL = (
    "Wise wants a person to approve this payment. Open Wise, find the batch with the name below, and pay it; cancelling it"
    " there makes its rewards due again."
)
UNDONE = "The transfers were cancelled before any money moved. It is tried again by itself."
STOPPED = "The transfer was made but not paid when sending was interrupted, so it was cancelled. No money moved."
HALF_DONE = "Sending was interrupted, and it isn't known which transfers were made. They are being looked up."
CANT_CANCEL = "This transfer isn't paid, and Wise doesn't cancel it. Cancel it in Wise, then look again."
TOO_MANY = "There are more transfers since then than can be looked through. Find this one in Wise."
GONE = "Wise doesn't know this transfer any more. Look for it in Wise."
NOT_OURS = "Wise's answer isn't the transfer that was asked for. It is being looked up."

PAID = "Paid out by Wise."
FUNDING = "The transfer waits for its money. If Wise asked for an approval, give it in Wise."
PROCESSING = "Wise is processing this transfer. It is looked at again by itself."
BOUNCED = "The bank sent the money back to Wise. Wise asks for other details or refunds it."
CHARGED_BACK = "The money that paid this transfer was charged back. Look at the transfer in Wise."
UNKNOWN_STATE = "Wise reports a state that isn't known here. Look at the transfer in Wise."
CANCELLED = "The transfer was cancelled in Wise, and the money stayed or came back."
REFUNDED = "The transfer couldn't be paid out, and Wise refunded it. Ask the person for other details."

LISTED = "All transfers of the profile made for rewards are listed, known by their id and reference."
UNLISTED = "A transfer whose reference was changed at Wise isn't recognised."


def said(sentence: str, wise: str) -> str:
    return f"{sentence} Wise says: {as_sentence(wise)}" if wise else sentence


def approval(group_key: str) -> str:
    return f"{APPROVAL} Batch: {group_key}."


def unknown_profile(profiles: str) -> str:
    return f"This token may not use that profile. It may use: {profiles}." if profiles else "This token has no profile."
