"""Loaded by schemathesis in `make schemathesis`: what it can't know of idempotency keys."""

from typing import Any
from uuid import uuid4

import django
import schemathesis

django.setup()

from referral_rocket.api.idempotency import HEADER, MAXIMUM_LENGTH  # noqa: E402 - the apps have to be loaded first


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A key of its own for each call whose key is right.

    An example that is driven a second time, with the same key and body, would be answered as the first time: with
    something that the example itself has deleted since. The phase that leaves headers out is not touched: headers that
    are changed here are completed with those that it left out.
    """
    if case.meta is not None and case.meta.phase.name == "coverage":
        return
    value = case.headers.get(HEADER)
    if isinstance(value, str) and 1 <= len(value) <= MAXIMUM_LENGTH and value.isascii() and value.isprintable():
        case.headers[HEADER] = str(uuid4())
