"""One reward: its story, how its amount came about, what was sent, and what a person can do."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from campaigns.models import FulfilmentKind
from campaigns.services import MANUAL
from campaigns.terms import in_words
from referral_rocket.accounts.roles import Ability
from referral_rocket.accounts.selectors import actor_names
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.links import to
from referral_rocket.dashboard.methods import menu
from referral_rocket.dashboard.pagination import page_by_id
from referral_rocket.dashboard.rewards.arithmetic import arithmetic
from referral_rocket.dashboard.rewards.story import story
from referral_rocket.kit.money import InvalidAmount, parse_money, plain
from rewards.errors import RewardsError
from rewards.models import BatchItem, IssueAttempt, Reward
from rewards.selectors import history, parts_of, parts_sums
from rewards.services.aggregating import next_close
from rewards.services.confirming import (
    reward_approve,
    reward_cancel,
    reward_confirm,
    reward_deduct,
    reward_reject,
)
from rewards.services.ordering import order_release
from rewards.states import ItemOutcome, RewardStatus, WaitingFor

# Typed before a reward is taken back from the tenant's own system.
RELEASE_WORD = "RELEASE"
_APPROVED: dict[str, str] = {
    "": "Approved: it is due.",
    WaitingFor.HOLDING: "Approved: due when its holding period is over.",
    WaitingFor.AGGREGATION: "Approved: it joins the person's next total.",
}


class ConfirmForm(forms.Form):
    """What was really issued, by hand. `amount` is typed in major units and comes out in minor ones."""

    amount = forms.CharField(
        max_length=30,
        help_text="What was really issued. What becomes of the rest, the campaign says: dropped, on record, or carried over.",
    )
    reference = forms.CharField(
        required=False, max_length=200, help_text="Such as the number of a bank transfer; shown with the reward."
    )

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._currency = currency
        self.fields["amount"].label = f"Amount in {currency}"

    def clean_amount(self) -> int:
        try:
            return parse_money(self.cleaned_data["amount"], self._currency)
        except InvalidAmount as error:
            raise forms.ValidationError(str(error)) from error


class DeductForm(ConfirmForm):
    """What was really taken back, outside."""

    forgive = forms.BooleanField(
        required=False, label="Forgive the rest", help_text="Otherwise what is left stays as a deduction of its own."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["reference"]
        self.fields["amount"].help_text = "What was really taken back."


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=500, help_text="Kept in the reward's history.")


def _reward(reward_id: UUID) -> Reward:
    return get_object_or_404(
        Reward.objects.select_related(
            "campaign", "customer", "participant", "rule", "deducts", "restores", "carried_from", "aggregate",
            "deducts_part", "settled_by", "event__participant__customer", "event__participant__referred_by__customer",
        ),
        pk=reward_id,
    )  # fmt: skip


def _rule_words(shown: Reward) -> str:
    return "" if shown.rule is None else in_words(shown.rule, shown.campaign.currency)


def _relatives(shown: Reward) -> list[tuple[str, Reward]]:
    """What the reward takes back or restores, what takes it back, and what was carried on. At most two queries."""
    found = [
        (words, other)
        for words, other in (
            ("Part of", shown.aggregate),
            ("Takes back", shown.deducts),
            ("Of its part", shown.deducts_part),
            ("Restores", shown.restores),
            ("Left over from", shown.carried_from),
            ("Taken back from", shown.settled_by),
        )
        if other is not None
    ]
    later = Reward.objects.filter(
        Q(deducts=shown) | Q(deducts_part=shown) | Q(restores=shown) | Q(carried_from=shown) | Q(settled_by=shown)
    ).order_by("pk")
    for other in later:
        taken_back = shown.pk in (other.deducts_id, other.deducts_part_id)
        words = "Taken back by" if taken_back else "Restored by"
        if other.settled_by_id == shown.pk:
            words = "Less the deduction"
        found.append(("Carried on as" if other.carried_from_id == shown.pk else words, other))
    return found


@require_safe
def reward(request: Any, reward_id: UUID) -> HttpResponse:
    return _show(request, _reward(reward_id))


def _show(request: Any, shown: Reward, *, status: int = 200, **forms_given: forms.Form) -> HttpResponse:
    transitions = list(history(shown))
    items = list(BatchItem.objects.filter(reward=shown).select_related("batch__connection", "claim").order_by("pk"))
    attempts = list(IssueAttempt.objects.filter(reward=shown).select_related("item__batch__connection").order_by("pk"))
    decision = shown.decisions.order_by("pk").first()
    open_item = next((item for item in items if item.outcome in (ItemOutcome.QUEUED, ItemOutcome.UNKNOWN)), None)
    from_here = shown.fulfilment_kind == FulfilmentKind.METHOD
    by_hand = not from_here or shown.fulfilment_method == MANUAL
    free = shown.status in (RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION) and open_item is None
    due = free and shown.status == RewardStatus.PENDING
    context = {
        "reward": shown,
        "chapters": story(shown, decision, transitions, items, actor_names(each.actor for each in transitions)),
        "lines": arithmetic(shown, shown.campaign, shown.event, shown.rule, parts_sums(shown)),
        "next_close": next_close(shown.campaign) if shown.waiting_for == WaitingFor.AGGREGATION else None,
        "parts": page_by_id(request, parts_of(shown)) if shown.parts_count is not None else None,
        "rule_words": _rule_words(shown),
        "decision": decision,
        "attempts": attempts,
        "connection": next((item.batch.connection for item in reversed(items) if item.batch.connection), None),
        "open_item": open_item,
        "by_hand": by_hand,
        "by_webhook": not from_here and free,
        "can_confirm": due and by_hand,
        "can_deduct": free and not due,
        "can_cancel": free,
        "can_issue": due and from_here,
        "relatives": _relatives(shown),
        "in_review": shown.status == RewardStatus.EARNED and shown.waiting_for == WaitingFor.REVIEW,
        "menu": menu(shown.fulfilment_method) if due and from_here else [],
        "confirm_form": ConfirmForm(
            currency=shown.currency, initial={"amount": plain(shown.amount, shown.currency)}, prefix="confirm"
        ),
        "deduct_form": DeductForm(
            currency=shown.currency, initial={"amount": plain(shown.amount, shown.currency)}, prefix="deduct"
        ),
        "cancel_form": ReasonForm(prefix="cancel"),
        "reject_form": ReasonForm(prefix="reject"),
        **forms_given,
    }
    return render(request, "rewards/reward.html", context, status=status)


@require_POST
@requires(Ability.ISSUE)
def confirm(request: Any, reward_id: UUID) -> HttpResponse:
    shown = _reward(reward_id)
    form = ConfirmForm(request.POST, currency=shown.currency, prefix="confirm")
    if not form.is_valid():
        return _show(request, shown, confirm_form=form, status=422)
    try:
        reward_confirm(
            organization=request.organization,
            reward=shown,
            actor=request.actor,
            amount=form.cleaned_data["amount"],
            reference=form.cleaned_data["reference"] or None,
        )
    except RewardsError as error:
        form.add_error(None, error.message)
        return _show(request, _reward(reward_id), confirm_form=form, status=409)
    messages.success(request, "Marked as issued.")
    return redirect(to(request, "reward", shown.pk))


@require_POST
@requires(Ability.ISSUE)
def deduct(request: Any, reward_id: UUID) -> HttpResponse:
    shown = _reward(reward_id)
    form = DeductForm(request.POST, currency=shown.currency, prefix="deduct")
    if not form.is_valid():
        return _show(request, shown, deduct_form=form, status=422)
    try:
        reward_deduct(
            organization=request.organization,
            reward=shown,
            actor=request.actor,
            amount=form.cleaned_data["amount"],
            forgive=form.cleaned_data["forgive"],
            by_person=True,
        )
    except RewardsError as error:
        form.add_error(None, error.message)
        return _show(request, _reward(reward_id), deduct_form=form, status=409)
    messages.success(request, "Marked as taken back.")
    return redirect(to(request, "reward", shown.pk))


@require_POST
@requires(Ability.ISSUE)
def release(request: Any, reward_id: UUID) -> HttpResponse:
    """Take a reward back from the tenant's own system. Typed, because that system may have issued it."""
    shown = _reward(reward_id)
    if request.POST.get("confirmation", "").strip() != RELEASE_WORD:
        messages.error(request, f"Type {RELEASE_WORD} to release it. Nothing was changed.")
        return redirect(to(request, "reward", shown.pk))
    try:
        order_release(organization=request.organization, reward=shown, actor=request.actor)
    except RewardsError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Released: it can be issued from here.")
    return redirect(to(request, "reward", shown.pk))


@require_POST
@requires(Ability.ISSUE)
def cancel(request: Any, reward_id: UUID) -> HttpResponse:
    shown = _reward(reward_id)
    form = ReasonForm(request.POST, prefix="cancel")
    if not form.is_valid():
        return _show(request, shown, cancel_form=form, status=422)
    try:
        reward_cancel(
            organization=request.organization,
            reward=shown,
            actor=request.actor,
            reason=form.cleaned_data["reason"],
            by_person=True,
        )
    except RewardsError as error:
        form.add_error(None, error.message)
        return _show(request, _reward(reward_id), cancel_form=form, status=409)
    messages.success(request, "Canceled: nothing is owed any more.")
    return redirect(to(request, "reward", shown.pk))


@require_POST
@requires(Ability.ISSUE)
def approve(request: Any, reward_id: UUID) -> HttpResponse:
    shown = _reward(reward_id)
    try:
        approved = reward_approve(organization=request.organization, reward=shown, actor=request.actor)
    except RewardsError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _APPROVED.get(approved.waiting_for or "", _APPROVED[""]))
    return redirect(_back(request, shown))


@require_POST
@requires(Ability.ISSUE)
def reject(request: Any, reward_id: UUID) -> HttpResponse:
    shown = _reward(reward_id)
    form = ReasonForm(request.POST, prefix="reject")
    if not form.is_valid():
        return _show(request, shown, reject_form=form, status=422)
    try:
        reward_reject(
            organization=request.organization, reward=shown, actor=request.actor, reason=form.cleaned_data["reason"]
        )
    except RewardsError as error:
        form.add_error(None, error.message)
        return _show(request, _reward(reward_id), reject_form=form, status=409)
    messages.success(request, "Rejected: nothing is owed.")
    return redirect(_back(request, shown))


def _back(request: Any, shown: Reward) -> str:
    if request.GET.get("next") == "review":
        return to(request, "rewards") + "?tab=review"
    return to(request, "reward", shown.pk)
