"""Calling providers from threads, which never touch the database. Each call ends in answers, whatever happens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import structlog

from integrations.base import IssueOrder, SendsGroups
from integrations.errors import OutcomeUnknown, ProviderError
from referral_rocket.kit.leases import LeaseLost
from rewards.models import BatchItem, IssueAttempt
from rewards.services.calls import ProviderCall
from rewards.services.conclusions import Answer, Answered

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Started:
    """An item whose attempt is committed, with everything that a thread needs to call the provider.

    `asks_first`: what an earlier try did isn't known. `sends`: it is sent where it wasn't done; else only looked up.
    With a `group_key` it is sent in one call with the others that have it.
    """

    item: BatchItem
    attempt: IssueAttempt
    call: ProviderCall
    asks_first: bool
    sends: bool = True
    group_key: str = ""


def call(started: Started) -> list[Answered]:
    """Ask first where an earlier try is in doubt, and send only if it wasn't done."""
    doubt, answer = started.asks_first, cast("Answer", None)
    if doubt:
        answer = _safely(started.call.ask)
        doubt = isinstance(answer, ProviderError)
    if answer is None and started.sends:
        answer = _safely(started.call.send)
    return [Answered(started.item, started.attempt, answer, was_in_doubt=doubt)]


def call_group(group: Sequence[Started]) -> list[Answered]:
    """Send a group that nothing is in doubt of."""
    first = group[0]
    adapter, orders = cast("SendsGroups", first.call.adapter), [cast("IssueOrder", each.call.order) for each in group]
    answers = _safely(lambda: adapter.issue_group(first.call.access, first.group_key, orders))
    silence = OutcomeUnknown("The provider didn't say what became of this one. It is being looked up.")
    return [
        Answered(
            each.item,
            each.attempt,
            answers if isinstance(answers, ProviderError) else answers.get(each.call.order.reward_id, silence),
            was_in_doubt=False,
        )
        for each in group
    ]


def _safely(ask: Callable[[], T]) -> T | ProviderError:
    try:
        return ask()
    except ProviderError as error:
        return error
    except LeaseLost:
        # Raised before a request, but not necessarily before the first of them.
        return OutcomeUnknown("The runner was stopped for too long. It is being looked up.")
    except Exception:
        # No adapter should raise anything else; whatever it was, the provider may have acted.
        log.exception("issue_crashed")
        return OutcomeUnknown("The call to the provider failed unexpectedly. It is being looked up.")
