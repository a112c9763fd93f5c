"""Asking Paddle whether the key works."""

from integrations.base import Access, AccountCheck, Exchange
from integrations.errors import error_of_failure, error_of_status
from integrations.providers.paddle import words
from referral_rocket.kit.http import Caller, HttpFailure

BASES = {"LIVE": "https://api.paddle.com", "TEST": "https://sandbox-api.paddle.com"}
_caller = Caller()


def check(access: Access) -> AccountCheck:
    """Asks for one transaction, which the key must be allowed to read."""
    exchanges: list[Exchange] = []
    headers = {"Authorization": f"Bearer {access.credentials['api_key']}"}
    address = f"{access.api_base or BASES[access.mode]}/transactions?per_page=1"
    access.pace()
    try:
        answer = _caller.send("GET", address, headers=headers, record=exchanges)
    except HttpFailure as failure:
        raise error_of_failure(failure, provider=words.NAME, writes=False, exchanges=exchanges) from failure
    if answer.status != 200:
        raise error_of_status(answer.status, answer.headers, provider=words.NAME, writes=False, exchanges=exchanges)
    return AccountCheck(account=words.NAME, currency=None, mode=access.mode, message=words.ACCEPTED)
