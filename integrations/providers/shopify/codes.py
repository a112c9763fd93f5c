"""The codes of gift cards and discounts, derived from a reward's idempotency key.

The same key has the same code, and Shopify refuses a second one of it (`TAKEN`): that is what makes a repeat harmless.
A gift card's code is money to whoever knows it, and reward ids are no secret, so the code is keyed by the
installation's own secret. Should that be changed between two tries of one reward, the code differs; but what an earlier
try did is looked up by the card's note first, which holds the idempotency key.
"""

import base64

from django.utils.crypto import salted_hmac

# Gift cards take 8 to 20 letters and digits; 20 of 32 symbols are 100 bits. A discount is bound to its customer, so its
# code need not be secret, only unlike any other, and it is typed in by people: 12 symbols.
GIFT_CARD_LENGTH = 20
DISCOUNT_LENGTH = 12


def gift_card_code(idempotency_key: str) -> str:
    return _code("shopify gift card", idempotency_key, GIFT_CARD_LENGTH)


def discount_code(idempotency_key: str) -> str:
    return _code("shopify discount", idempotency_key, DISCOUNT_LENGTH)


def _code(purpose: str, key: str, length: int) -> str:
    digest = salted_hmac(purpose, key, algorithm="sha256").digest()
    return base64.b32encode(digest).decode("ascii")[:length]
