"""`/rewards`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from participants.selectors import participants
from referral_rocket.accounts.models import Scope
from referral_rocket.api.answers import Answer
from referral_rocket.api.fields import Paging
from referral_rocket.api.operations import operation
from referral_rocket.api.pagination import page
from referral_rocket.api.payloads import rewards as payloads
from referral_rocket.api.problems import conflict, impossible, invalid
from referral_rocket.api.resources.lookup import reward_of
from referral_rocket.api.shapes.rewards import (
    Rejection,
    RewardChange,
    RewardFilters,
    RewardNew,
    RewardShape,
    TransitionShape,
)
from referral_rocket.api.views import ApiView
from rewards.models import Reward
from rewards.selectors import history, parts_of, rewards
from rewards.services.confirming import (
    reward_approve,
    reward_cancel,
    reward_confirm,
    reward_deduct,
    reward_give,
    reward_give_once,
    reward_reject,
)
from rewards.states import RewardStatus

_FILTERS = {
    "status": "status",
    "type": "type",
    "waiting_for": "waiting_for",
    "campaign_id": "campaign",
    "customer_id": "customer",
    "participant_id": "participant",
    "event_id": "event",
    "transaction_id": "transaction_id",
    "created_after": "created_at__gte",
    "created_before": "created_at__lt",
}
# What a PATCH may carry beside each status.
_BESIDE = {
    RewardStatus.AVAILABLE: {"amount"},
    RewardStatus.DEDUCTED: {"amount", "forgive"},
    RewardStatus.CANCELED: {"reason"},
}


class RewardsView(ApiView):
    @operation(
        "rewards_list",
        "Rewards, newest first",
        scope=Scope.READ,
        filters=RewardFilters,
        answers={200: RewardShape},
        listed=True,
    )
    def get(self, request: Request) -> Answer:
        found = rewards().filter(**{_FILTERS[name]: self.query[name] for name in _FILTERS if name in self.query})
        return page(found, self.query, payloads.rewards)

    @operation(
        "reward_give",
        "Give a one-time reward",
        takes=RewardNew,
        answers={201: RewardShape, 200: RewardShape},
        refuses={409: ["external_ref_conflict"], 422: ["unknown_participant", "earns_nothing", "budget_exhausted"]},
        about="Goodwill or an adjustment, due at once, or with the next aggregate where the campaign makes some. It is cut "
        "to what is left of the campaign's budget; 422 where nothing is. An `external_ref` is given once in the "
        "organization: the same again answers 200 with the first one's reward.",
    )
    def post(self, request: Request) -> Answer:
        participant = participants().filter(pk=self.given["participant_id"]).first()
        if participant is None:
            raise impossible("unknown_participant", "There is no such participant.", "participant_id")
        asked = {name: self.given[name] for name in ("amount", "reason")}
        external_ref = self.given.get("external_ref")
        if external_ref is None:
            reward = reward_give(organization=self.organization, participant=participant, actor=self.actor, **asked)
            return Answer(201, payloads.reward(reward_of(reward.pk)))
        given = reward_give_once(
            organization=self.organization,
            participant=participant,
            actor=self.actor,
            external_ref=external_ref,
            **asked,
        )
        return Answer(201 if given.created else 200, payloads.reward(reward_of(given.reward.pk)))


class RewardView(ApiView):
    @operation("reward_get", "One reward", scope=Scope.READ, answers={200: RewardShape})
    def get(self, request: Request, reward_id: UUID) -> Answer:
        return Answer(200, payloads.reward(reward_of(reward_id)))

    @operation(
        "reward_update",
        "Say that a reward was issued, or won't be",
        scope=Scope.ISSUE,
        takes=RewardChange,
        answers={200: RewardShape},
        refuses={
            409: ["invalid_transition", "fulfilled_by_method", "being_issued"],
            422: ["amount_exceeds_owed"],
        },
        about="For rewards that are fulfilled by hand (method `MANUAL`) or ordered by webhook. What is left of less than is "
        "owed is dropped, or carried over, as the campaign's `remainder` says. A deduction that "
        "isn't `DEDUCTED` in full leaves a deduction of the rest, unless `forgive` is true. The same again answers 200 and "
        "changes nothing.",
    )
    def patch(self, request: Request, reward_id: UUID) -> Answer:
        reward = reward_of(reward_id)
        _check(self.given)
        if self.given["status"] == RewardStatus.AVAILABLE:
            reward_confirm(
                organization=self.organization, reward=reward, amount=self.given.get("amount"), actor=self.actor
            )
        elif self.given["status"] == RewardStatus.CANCELED:
            reward_cancel(organization=self.organization, reward=reward, reason=self.given["reason"], actor=self.actor)
        elif self.given["status"] == RewardStatus.DEDUCTED:
            reward_deduct(
                organization=self.organization,
                reward=reward,
                amount=self.given.get("amount"),
                forgive=self.given.get("forgive", False),
                actor=self.actor,
            )
        else:
            raise _no_such_step(reward, self.given["status"])
        return Answer(200, payloads.reward(reward_of(reward_id)))


class RewardHistoryView(ApiView):
    @operation(
        "reward_history",
        "Every change of a reward, newest first",
        scope=Scope.READ,
        filters=Paging,
        answers={200: TransitionShape},
        listed=True,
    )
    def get(self, request: Request, reward_id: UUID) -> Answer:
        return page(history(reward_of(reward_id)), self.query, payloads.transitions)


class RewardPartsView(ApiView):
    @operation(
        "reward_parts",
        "What an aggregate is made of, newest first",
        scope=Scope.READ,
        filters=Paging,
        answers={200: RewardShape},
        listed=True,
        about="Rewards and deductions in `AGGREGATED`; none for a reward that is no aggregate.",
    )
    def get(self, request: Request, reward_id: UUID) -> Answer:
        return page(parts_of(reward_of(reward_id)), self.query, payloads.rewards)


class RewardApproveView(ApiView):
    @operation(
        "reward_approve",
        "Let a reward out of review",
        scope=Scope.ISSUE,
        answers={200: RewardShape},
        refuses={409: ["invalid_transition"]},
    )
    def post(self, request: Request, reward_id: UUID) -> Answer:
        reward_approve(organization=self.organization, reward=reward_of(reward_id), actor=self.actor)
        return Answer(200, payloads.reward(reward_of(reward_id)))


class RewardRejectView(ApiView):
    @operation(
        "reward_reject",
        "Refuse a reward in review",
        scope=Scope.ISSUE,
        takes=Rejection,
        answers={200: RewardShape},
        refuses={409: ["invalid_transition"]},
    )
    def post(self, request: Request, reward_id: UUID) -> Answer:
        reward = reward_of(reward_id)
        reward_reject(organization=self.organization, reward=reward, reason=self.given["reason"], actor=self.actor)
        return Answer(200, payloads.reward(reward_of(reward_id)))


def _check(given: Mapping[str, Any]) -> None:
    """Raises a 400 Problem where the fields don't go with the status."""
    status = given["status"]
    stray = set(given) - {"status"} - _BESIDE.get(status, set())
    errors = [(name, "not_applicable", f"This doesn't go with {status}.") for name in sorted(stray)]
    if status == RewardStatus.CANCELED and "reason" not in given:
        errors.append(("reason", "required", "Say why it won't be issued."))
    if errors:
        raise invalid(errors)


def _no_such_step(reward: Reward, status: str) -> Exception:
    return conflict("invalid_transition", f"The reward is {reward.status}; this call can't make it {status}.")
