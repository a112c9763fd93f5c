"""Lists in which providers show what was issued, so that what isn't on record here can be found."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from integrations.base import Access

_KEY = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}):\d{1,9}")


@dataclass(frozen=True)
class Listed:
    """One thing in a provider's list that carries a mark of ours.

    `reference` is what an IssueResult would call it. It carries the reward's id, or an id made from the reward's key
    (`own_id`). `amount` is in minor units, None where a list doesn't show one (a percentage). Where `stands` is False
    it was taken back, or nothing was paid by it. `takes_back`: it is a deduction.
    """

    reference: str
    made_at: datetime
    reward_id: UUID | None = None
    own_id: str = ""
    amount: int | None = None
    currency: str | None = None
    stands: bool = True
    takes_back: bool = False


@dataclass(frozen=True)
class ListedPage:
    """Part of a list, and where the next one begins: empty at the end. Some of a page's things may not be ours."""

    rows: tuple[Listed, ...]
    cursor: str = ""


@dataclass(frozen=True)
class Listing:
    """A list of what was issued by `methods`. `label` says what is in it, for people.

    `page(access, since, cursor, person)` gives the things made since then, a page at a time and in few requests, in any
    order; a thing may come twice. It raises the errors of `integrations.errors`. Where the provider has the list for one
    person only (`of_person`) it is asked for each person whom rewards went to, by the provider's id; else `person` is
    empty. `own_id(idempotency_key, group_key)` is what a thing carries instead of a reward's id.
    """

    label: str
    methods: tuple[str, ...]
    page: Callable[[Access, datetime, str, str], ListedPage]
    of_person: bool = False
    own_id: Callable[[str, str], str] | None = None


def reward_of_key(text: Any) -> UUID | None:
    """The reward of an idempotency key; None for any other text."""
    match = _KEY.fullmatch(text) if isinstance(text, str) else None
    return UUID(match[1]) if match else None


def reward_of_id(text: Any) -> UUID | None:
    """A reward's id as a provider gives it back; None for anything else."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
