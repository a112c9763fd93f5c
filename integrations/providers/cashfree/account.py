"""Asking Cashfree whether the credentials work."""

from integrations.base import Access, AccountCheck, Exchange
from integrations.errors import error_of_failure, error_of_status
from integrations.providers.cashfree import words
from referral_rocket.kit.http import Caller, HttpFailure

API_VERSION = "2025-01-01"
BASES = {"LIVE": "https://api.cashfree.com/pg", "TEST": "https://sandbox.cashfree.com/pg"}
_caller = Caller()
# No call of Cashfree's names the account. An order that can't exist is answered 404 to who may ask, else 401.
_NO_ORDER = "referral-rocket-asks-whether-this-works"


def check(access: Access) -> AccountCheck:
    """Asks for an order that isn't there."""
    exchanges: list[Exchange] = []
    headers = {
        "x-client-id": access.credentials["client_id"],
        "x-client-secret": access.credentials["client_secret"],
        "x-api-version": API_VERSION,
    }
    access.pace()
    try:
        answer = _caller.send(
            "GET", f"{access.api_base or BASES[access.mode]}/orders/{_NO_ORDER}", headers=headers, record=exchanges
        )
    except HttpFailure as failure:
        raise error_of_failure(failure, provider=words.NAME, writes=False, exchanges=exchanges) from failure
    if answer.status not in (200, 404):
        raise error_of_status(answer.status, answer.headers, provider=words.NAME, writes=False, exchanges=exchanges)
    return AccountCheck(
        account=access.credentials["client_id"], currency=None, mode=access.mode, message=words.ACCEPTED
    )
