"""From Issue Reward to a batch: a preview first, and then exactly what the preview showed, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.core import signing
from django.core.exceptions import BadRequest
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from campaigns.services import MANUAL
from integrations.registry import file_of
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.batches.choosing import Chosen, chosen, line_of
from referral_rocket.dashboard.links import to
from referral_rocket.dashboard.methods import MenuLine, menu, method_name
from referral_rocket.kit.ids import uuid7
from referral_rocket.kit.nudges import nudge
from rewards.errors import ConnectionRequired, InvalidReward, RewardsError, UnknownRewards
from rewards.models import RewardBatch
from rewards.services.batches import batch_create
from rewards.services.selecting import Plan, batch_plan
from rewards.tasks import run_batches

# So many rewards are listed in a preview; the totals are of all.
LISTED = 50
# A preview that is older has to be looked at again, in seconds.
PREVIEW_AGE = 3600

_PROBLEMS = {
    "not_due": "not due any more",
    "being_issued": "being issued by somebody else right now",
    "fulfilled_by_webhook": "issued by your own system, by webhook",
}


class NoteForm(forms.Form):
    note = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="How they were given, for whoever asks later.",
    )
    reference = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Such as the number of a bank transfer. It is kept with each reward.",
    )


class ChangedMeanwhile(Exception):
    """What would be issued isn't what the preview showed."""


@dataclass(frozen=True)
class Preview:
    """What was shown: (currency, number, amount), and the id of the batch that it becomes, once."""

    batch_id: UUID
    totals: Sequence[tuple[str, int, int]]

    def token(self, request: Any, line: MenuLine) -> str:
        shown = {"batch": str(self.batch_id), "totals": list(map(list, self.totals)), "by": line.key}
        return signing.dumps(shown, salt=_salt(request))

    @classmethod
    def read(cls, request: Any, line: MenuLine) -> "Preview":
        """Raises BadRequest for a token that isn't of this preview, ChangedMeanwhile for one that is too old."""
        try:
            shown = signing.loads(request.POST.get("preview", ""), salt=_salt(request), max_age=PREVIEW_AGE)
        except signing.SignatureExpired as error:
            raise ChangedMeanwhile from error
        except signing.BadSignature as error:
            raise BadRequest("This form wasn't made by the preview.") from error
        if shown["by"] != line.key:
            raise BadRequest("The preview was of another way to issue.")
        return cls(UUID(shown["batch"]), [tuple(total) for total in shown["totals"]])


def _salt(request: Any) -> str:
    return f"issue:{request.organization.pk}"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.ISSUE)
def issue(request: Any) -> HttpResponse:
    """GET shows what would be issued; POST issues it, if it still is what was shown."""
    asked = request.POST if request.method == "POST" else request.GET
    line = line_of(menu(), asked.get("choice", ""))
    if request.method != "POST":
        return _show(request, line, chosen(request, asked), NoteForm())
    try:
        preview = Preview.read(request, line)
    except ChangedMeanwhile:
        return _show(request, line, chosen(request, asked), NoteForm(asked), changed=True, status=409)
    if RewardBatch.objects.filter(pk=preview.batch_id).exists():
        return redirect(to(request, "batch", preview.batch_id))
    form = NoteForm(asked)
    wanted = chosen(request, asked)
    number = sum(number for _, number, _ in preview.totals)
    if not form.is_valid() or (_moves_money(request, line) and asked.get("confirmation", "").strip() != str(number)):
        return _show(request, line, wanted, form, unconfirmed=form.is_valid(), status=422)
    return _issue(request, line, wanted, preview, form)


def _issue(request: Any, line: MenuLine, wanted: Chosen, preview: Preview, form: NoteForm) -> HttpResponse:
    by_hand = line.choice.method == MANUAL
    try:
        with transaction.atomic():
            batch = batch_create(
                organization=request.organization,
                method=line.choice.method,
                connection_id=line.choice.connection.pk if line.choice.connection else None,
                selection=wanted.selection,
                actor=request.actor,
                person=request.user.pk,
                note=form.cleaned_data["note"] if by_hand else "",
                reference=form.cleaned_data["reference"] if by_hand else "",
                batch_id=preview.batch_id,
            )
            _check_unchanged(batch, preview)
    except IntegrityError:
        # The same preview was sent twice at once, and the other one was first.
        return redirect(to(request, "batch", preview.batch_id))
    except ChangedMeanwhile:
        return _show(request, line, chosen(request, request.POST), form, changed=True, status=409)
    except RewardsError as error:
        return _show(request, line, wanted, form, problem=error.message, status=409)
    nudge(run_batches)
    return redirect(to(request, "batch", preview.batch_id))


def _check_unchanged(batch: RewardBatch, preview: Preview) -> None:
    """Nothing is issued that wasn't shown: raises ChangedMeanwhile, which takes the new batch back."""
    if [tuple(total) for total in batch.asked] != list(preview.totals):
        raise ChangedMeanwhile


def _moves_money(request: Any, line: MenuLine) -> bool:
    """Whether real money leaves: then the number is typed in. Nothing leaves a stand-in or a test organization."""
    return line.choice.connection is not None and not line.sandbox and not request.organization.is_test


def _show(
    request: Any,
    line: MenuLine,
    wanted: Chosen,
    form: NoteForm,
    *,
    changed: bool = False,
    unconfirmed: bool = False,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    plan: Plan | None = None
    try:
        plan = (
            None
            if wanted.is_empty
            else batch_plan(
                method=line.choice.method,
                selection=wanted.selection,
                connection_id=line.choice.connection.pk if line.choice.connection else None,
            )
        )
    except (ConnectionRequired, InvalidReward, UnknownRewards) as error:
        problem = problem or error.message
    totals = plan.totals if plan else []
    context = {
        "line": line,
        "chosen": wanted,
        "form": form,
        "plan": plan,
        "totals": [
            (currency, number, amount, plan.netted.get(currency, 0) if plan else 0)
            for currency, number, amount in totals
        ],
        "count": sum(number for _, number, _ in totals),
        "notes": _notes(plan, line) if plan else [],
        "listed": plan.items[:LISTED] if plan else [],
        "unlisted": max(0, plan.number - LISTED) if plan else 0,
        "preview": Preview(uuid7(), totals).token(request, line),
        "by_hand": line.choice.method == MANUAL,
        "by_file": file_of(line.choice.method) is not None,
        "typed": _moves_money(request, line),
        "changed": changed,
        "unconfirmed": unconfirmed,
        "problem": problem,
    }
    return render(request, "batches/issue.html", context, status=status)


def _notes(plan: Plan, line: MenuLine) -> list[str]:
    """What a person should know before anything is sent, in sentences."""
    notes = [f"{_rewards(number)} left out: {_PROBLEMS[code]}." for code, number in plan.problems]
    if plan.waiting and line.choice.connection is not None:
        notes.append(
            f"{_rewards(plan.waiting)} couldn't be sent before: the provider didn't find the person. Without a change"
            " there or on the participant's page, that will happen again."
        )
    others = sorted(set(plan.by_method) - {line.choice.method})
    if others:
        number = sum(plan.by_method[method] for method in others)
        names = " and ".join(method_name(method) for method in others)
        notes.append(f"{_rewards(number)} meant to be issued another way ({names}): here, this way is used instead.")
    return notes


def _rewards(number: int) -> str:
    return "1 reward" if number == 1 else f"{number} rewards"
