"""An outcome that is unknown: what was sent, and a person's word about what became of it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.links import to
from rewards.models import BatchItem, IssueAttempt
from rewards.services.settling import LONGEST_REASON, NotSettleable, outcome_settle
from rewards.states import ItemOutcome

ISSUED, NOT_ISSUED = "issued", "not_issued"


class OutcomeForm(forms.Form):
    """`issued` or not, with the provider's reference where it was."""

    outcome = forms.ChoiceField(label="What became of it", widget=forms.RadioSelect)
    reference = forms.CharField(
        required=False,
        max_length=255,
        label="The provider's reference",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="What the provider calls it, if it was done: the number of the transaction, the order or the card.",
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        label="How you know",
        help_text="Kept in the reward's history, such as: seen in the provider's list of payouts today.",
    )

    def __init__(self, *args: Any, takes_back: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        done = "taken back" if takes_back else "issued"
        field = self.fields["outcome"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(ISSUED, f"It was {done}"), (NOT_ISSUED, f"It was not {done}")]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.get("outcome") == ISSUED and not cleaned.get("reference", "").strip():
            self.add_error("reference", "Say what the provider calls it, so that it can be found there again.")
        return cleaned


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.ISSUE)
def unknown(request: Any, item_id: UUID) -> HttpResponse:
    """GET shows what was sent; POST writes the person's word down, if it is still unknown."""
    item = get_object_or_404(
        BatchItem.objects.select_related("batch__connection", "reward__customer", "reward__campaign"), pk=item_id
    )
    if request.method != "POST":
        if item.outcome != ItemOutcome.UNKNOWN:
            messages.warning(request, "Its outcome isn't unknown any more.")
            return redirect(to(request, "reward", item.reward_id))
        return _show(request, item, OutcomeForm(takes_back=item.batch.takes_back))
    form = OutcomeForm(request.POST, takes_back=item.batch.takes_back)
    if not form.is_valid():
        return _show(request, item, form, status=422)
    try:
        outcome_settle(
            organization=request.organization,
            item=item,
            issued=form.cleaned_data["outcome"] == ISSUED,
            reference=form.cleaned_data["reference"],
            reason=form.cleaned_data["reason"],
            actor=request.actor,
        )
    except NotSettleable as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, "Settled, and on record in the reward's history.")
    return redirect(to(request, "reward", item.reward_id))


def _show(request: Any, item: BatchItem, form: OutcomeForm, *, status: int = 200) -> HttpResponse:
    attempts = list(IssueAttempt.objects.filter(item=item).defer("exchanges").order_by("pk"))
    context = {
        "item": item,
        "form": form,
        "first": attempts[0] if attempts else None,
        "last": attempts[-1] if attempts else None,
        "tries": len(attempts),
    }
    return render(request, "reconciliation/unknown.html", context, status=status)
