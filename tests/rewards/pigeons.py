"""A payout provider in this process that behaves as it is told: for what the runner does with any adapter.

`PIGEON` sends one by one, `PIGEON_FLOCK` in groups; money can be taken back and can come back.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from integrations import registry
from integrations.base import (
    Access,
    AccountCheck,
    FileFormat,
    IssueOrder,
    IssueOutcome,
    IssueResult,
    TakeBack,
)
from integrations.description import CredentialField, Method, Provider
from integrations.errors import ProviderError
from integrations.models import Connection
from referral_rocket.accounts.models import Organization
from tests import factories

Answer = IssueResult | ProviderError | None


def sent(reference: str, **more: Any) -> IssueResult:
    return IssueResult(IssueOutcome.SUCCEEDED, sent=True, provider_reference=reference, **more)


def waits(reference: str = "waiting_1") -> IssueResult:
    return IssueResult(
        IssueOutcome.WAITING, sent=True, provider_reference=reference, code="needs_a_person", message="Not claimed yet."
    )


RETURNED = IssueResult(IssueOutcome.RETURNED, sent=True, message="Nobody claimed it.")


@dataclass
class Pigeons:
    """The far side: what arrived by idempotency key, and what it answers where it is told to."""

    paid: dict[str, IssueOrder] = field(default_factory=dict)
    taken: dict[str, TakeBack] = field(default_factory=dict)
    groups: list[tuple[str, list[UUID]]] = field(default_factory=list)
    looked_up: list[IssueOrder] = field(default_factory=list)
    # Called with the order: what is raised or answered instead of the usual. `answers_look_up` likewise.
    answers: Callable[[IssueOrder], Answer] = lambda order: None
    answers_look_up: Callable[[IssueOrder], Answer] = lambda order: None
    answers_take_back: Callable[[TakeBack], Answer] = lambda order: None
    after_group: Callable[[], None] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, access: Access, order: IssueOrder) -> IssueResult:
        access.pace()
        told = self.answers(order)
        if isinstance(told, ProviderError):
            raise told
        if told is not None:
            return told
        with self.lock:
            self.paid.setdefault(order.idempotency_key, order)
        return sent(f"ring_{order.idempotency_key}")

    def look_up(self, access: Access, order: IssueOrder) -> IssueResult | None:
        access.pace()
        with self.lock:
            self.looked_up.append(order)
        told = self.answers_look_up(order)
        if isinstance(told, ProviderError):
            raise told
        if told is not None:
            return told
        return sent(f"ring_{order.idempotency_key}") if order.idempotency_key in self.paid else None

    def check(self, access: Access) -> AccountCheck:
        return AccountCheck("pigeons", None, access.mode, "Connected.")

    def take_back(self, access: Access, order: TakeBack) -> IssueResult:
        access.pace()
        told = self.answers_take_back(order)
        if isinstance(told, ProviderError):
            raise told
        if told is not None:
            return told
        with self.lock:
            self.taken.setdefault(order.idempotency_key, order)
        return sent(f"back_{order.idempotency_key}")

    def look_up_taken_back(self, access: Access, order: TakeBack) -> IssueResult | None:
        return sent(f"back_{order.idempotency_key}") if order.idempotency_key in self.taken else None


class Single:
    def __init__(self, far: Pigeons) -> None:
        self.issue, self.look_up, self.check = far.issue, far.look_up, far.check


class Returning(Single):
    def __init__(self, far: Pigeons) -> None:
        super().__init__(far)
        self.take_back, self.look_up_taken_back = far.take_back, far.look_up_taken_back


class Flock(Single):
    group_size = 3

    def __init__(self, far: Pigeons) -> None:
        super().__init__(far)
        self.far = far

    def issue_group(
        self, access: Access, group_key: str, orders: Sequence[IssueOrder]
    ) -> Mapping[UUID, IssueResult | ProviderError]:
        access.pace()
        with self.far.lock:
            self.far.groups.append((group_key, [order.reward_id for order in orders]))
        answers: dict[UUID, IssueResult | ProviderError] = {}
        for order in orders:
            told = self.far.answers(order)
            if told is None:
                self.far.paid.setdefault(order.idempotency_key, order)
            answers[order.reward_id] = told or sent(f"ring_{order.idempotency_key}")
        self.far.after_group()
        return answers


def register(patch: pytest.MonkeyPatch, *, file: FileFormat | None = None, per_second: float = 10_000) -> Pigeons:
    """Build the provider `pigeon` into the registry for one test."""
    far = Pigeons()
    methods = [
        Method("PIGEON", "Send by pigeon", "One by one.", Single(far)),
        Method("PIGEON_BACK", "Send by homing pigeon", "Can be taken back.", Returning(far)),
        Method("PIGEON_FLOCK", "Send by flock", "In groups.", Flock(far)),
    ]
    if file is not None:
        methods.append(Method("PIGEON_FILE", "Send by letter", "In a file.", file=file))
    provider = Provider(
        slug="pigeon",
        name="Pigeon",
        purpose="Pays by pigeon.",
        credential_fields=(CredentialField("ring", "Ring", "The pigeon's ring."),),
        setting_fields=(),
        methods=tuple(methods),
        inbound=None,
        receives_payments=False,
        check=far.check,
        check_credentials=lambda credentials: None,
        mode_of=lambda credentials: None,
        signing_label=None,
        signing_help="",
        check_webhook_secret=lambda secret: None,
        webhook_events=(),
        person_key="pigeon",
        requests_per_second={"LIVE": per_second, "TEST": per_second},
    )
    patch.setitem(registry.PROVIDERS, "pigeon", provider)  # type: ignore[arg-type]
    return far


def connection(organization: Organization) -> Connection:
    return factories.connection(
        organization, provider="pigeon", webhook_secret=None, credentials={"ring": f"ring{factories.next_number()}"}
    )
