"""Asking Razorpay whether the key works. https://razorpay.com/docs/api/payments/fetch-all-payments/"""

import base64
import json

from integrations.base import Access, AccountCheck, Exchange
from integrations.errors import ProviderRetryable, error_of_failure, error_of_status
from integrations.providers.razorpay import words
from referral_rocket.kit.http import Caller, HttpFailure

BASE = "https://api.razorpay.com"
_caller = Caller()


def check(access: Access) -> AccountCheck:
    """Asks for one payment: there is nothing at Razorpay that names the account behind a key."""
    exchanges: list[Exchange] = []
    pair = f"{access.credentials['key_id']}:{access.credentials['key_secret']}"
    headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    access.pace()
    try:
        answer = _caller.send(
            "GET", f"{access.api_base or BASE}/v1/payments?count=1", headers=headers, record=exchanges
        )
    except HttpFailure as failure:
        raise error_of_failure(failure, provider=words.NAME, writes=False, exchanges=exchanges) from failure
    if answer.status != 200:
        raise error_of_status(answer.status, answer.headers, provider=words.NAME, writes=False, exchanges=exchanges)
    try:
        items = json.loads(answer.body)["items"]
        currency = items[0]["currency"] if items else None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ProviderRetryable(words.UNREADABLE, sent=True, exchanges=exchanges) from error
    return AccountCheck(
        account=access.credentials["key_id"], currency=currency, mode=access.mode, message=words.ACCEPTED
    )
