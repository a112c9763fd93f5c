"""Signs that a referral isn't one: pure, from what is known of the two people. A person decides what they mean.

What is certain is refused elsewhere (a code of one's own, a circle of referrals). What is found here is only likely, so
the reward is earned and waits for a review, with the reason.
"""

from disposable_email_domains import blocklist

# Providers that deliver every `name+tag@` to `name@`, each by its own help pages. At another domain a tag may well be
# another person's address.
_ONE_MAILBOX_WITH_TAGS = frozenset(
    {
        "fastmail.com",
        "gmail.com",
        "googlemail.com",
        "hotmail.com",
        "icloud.com",
        "live.com",
        "me.com",
        "outlook.com",
        "pm.me",
        "proton.me",
        "protonmail.com",
    }
)
# Google also ignores dots, and its two domains are one.
_GOOGLE = frozenset({"gmail.com", "googlemail.com"})


def suspicion(*, referred_key: str, referrer_key: str) -> str | None:
    """Why a referral is held for review, as a sentence; None where nothing speaks against it.

    The arguments are `email_key`s (attribution.py). An erased person's is a hash: it has no domain and no mailbox.
    """
    referred, referrer = mailbox(referred_key), mailbox(referrer_key)
    if referred is not None and referred == referrer:
        return "Referrer and referred person get their mail in one mailbox."
    if _domain(referred_key) in blocklist:
        return "The referred person's e-mail address is of a service for throw-away addresses."
    if _domain(referrer_key) in blocklist:
        return "The referrer's e-mail address is of a service for throw-away addresses."
    return None


def mailbox(key: str) -> str | None:
    """Where mail to this address ends up, as far as its provider's rules are known; None for what is no address."""
    local, at, domain = key.rpartition("@")
    if not at:
        return None
    if domain in _ONE_MAILBOX_WITH_TAGS:
        local = local.partition("+")[0]
    if domain in _GOOGLE:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def _domain(key: str) -> str:
    return key.rpartition("@")[2]
