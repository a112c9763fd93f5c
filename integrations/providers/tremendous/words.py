"""What the product says about Tremendous: names, sentences for a no, and what to do about each."""

NAME = "Tremendous"
PURPOSE = "Issues rewards that the recipient turns into a gift card, a transfer or a donation of their choice."
LABEL = "Send rewards with Tremendous"
EXPLANATION = (
    "Orders a reward from your Tremendous account; Tremendous mails it, and the recipient chooses what it becomes."
)

KEY_LABEL = "API key"
KEY_HELP = (
    "Team settings → Developers in Tremendous. Keys of the sandbox (Testflight) begin with TEST_, live ones with PROD_."
)
KEY_SHAPE = "Paste the API key as Tremendous shows it, without spaces."
FUNDING_LABEL = "Funding source"
FUNDING_HELP = "What rewards are paid from: BALANCE, or an id from the list that the check of this connection shows."
CAMPAIGN_LABEL = "Tremendous campaign"
CAMPAIGN_HELP = "The campaign's id: it says what recipients can choose from, and how the mail looks."
PRODUCTS_LABEL = "Products"
PRODUCTS_HELP = "Instead of a campaign, or to narrow it: ids of products, with commas between them."
DELIVERY_LABEL = "Delivery"
DELIVERY_HELP = "A link you fetch in Tremendous and hand over yourself. Not set: by e-mail."
DELIVERY_SHAPE = "EMAIL or LINK."
DELIVERY_CHOICES = (("EMAIL", "Tremendous mails the reward"), ("LINK", "As a link"))
COUNTRY_LABEL = "Recipients' country"
COUNTRY_HELP = "Two letters, such as US: rewards are sent only where a product is offered there. Empty: anywhere."
COUNTRY_SHAPE = "Two capital letters, such as US."
ID_SHAPE = "An id at Tremendous has 4 to 20 capital letters and digits."
SIGNING_LABEL = "Webhook private key"
SIGNING_HELP = "The private key that Tremendous shows beside the webhook with the address below."
SIGNING_SHAPE = "Paste the private key as Tremendous shows it, without spaces."

NO_FUNDING_SOURCE = "Say under Integrations which funding source pays for rewards, then try again."
NO_PRODUCTS = "Say under Integrations which campaign or products recipients can choose from, then try again."
NO_EMAIL = "There is no e-mail address to send the reward to. Add one, or choose another method."
INVALID_RECIPIENT = "Tremendous doesn't take this recipient. Check the e-mail address. Tremendous says: {said}"
INSUFFICIENT_FUNDS = (
    "The funding source doesn't suffice. Add funds in Tremendous, then try again. Tremendous says: {said}"
)
UNAVAILABLE_HERE = "None of the connection's products can be had for {amount}{where}. Choose others under Integrations, or another method."
UNAVAILABLE = "Tremendous doesn't offer this. Choose other products under Integrations. Tremendous says: {said}"
FUNDING_REFUSED = (
    "Tremendous doesn't take the funding source. Choose another under Integrations. Tremendous says: {said}"
)
CONFLICT = "Tremendous has an order of this reward already. It is being looked up."
UNREADABLE = "Tremendous's answer can't be read, so it isn't known whether it acted. It is being looked up."
UNREADABLE_READ = "Tremendous's answer can't be read. It is tried again by itself."
OTHER_AMOUNT = (
    "Tremendous has an order of this reward with another amount ({theirs}). Look at it in Tremendous: it was sent once."
)

ISSUED = "Tremendous mails the reward to the recipient."
ISSUED_BY_LINK = "The reward is ready: fetch its link in Tremendous, and hand it over."
DELIVERED = "The recipient has got the reward."
DELIVERY_FAILED = (
    "The reward is paid for, and its mail couldn't be delivered. Correct the address and send it again in Tremendous, or"
    " cancel it there: then it is due again here."
)
APPROVAL = "The order waits for somebody to approve it in Tremendous. It goes on by itself then."
REVIEW = "Tremendous is looking at the order. It goes on by itself."
SETTLEMENT = "Tremendous waits for the money to arrive. It goes on by itself."
OPEN = "Tremendous has taken the order and hasn't worked on it yet. It goes on by itself."
CANCELED = "The order was canceled in Tremendous."
FAILED = "Tremendous couldn't carry out the order, mostly for lack of funds. Add funds in Tremendous, then try again."
ENDED = "Tremendous has ended this order without sending it. It is being looked up."

LISTED = "All orders made for rewards are listed, known by their external id."


def connected(name: str, funding: list[str], campaigns: list[str]) -> str:
    told = [f"Connected to {name}."]
    told.append(
        f"Funding sources: {'; '.join(funding)}." if funding else "There is no funding source that the API may use."
    )
    if campaigns:
        told.append(f"Campaigns: {'; '.join(campaigns)}.")
    return " ".join(told)
