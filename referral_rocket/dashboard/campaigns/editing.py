"""Making and changing a campaign with its rules. Whatever was typed comes back with the messages beside it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from campaigns.errors import CampaignConflict, InvalidCampaign
from campaigns.models import Campaign, CampaignStatus, EarningTiming, RewardRule
from campaigns.selectors import campaigns, current_rules
from campaigns.services import campaign_create, campaign_update
from campaigns.terms import CampaignTerms, RuleTerms, complete_rules, in_words, timing_in_words
from participants.counts import has_event
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.campaigns.forms import (
    MAXIMUM_RULES,
    CampaignForm,
    RuleForm,
    place_errors,
    rule_forms,
    sent_positions,
)
from referral_rocket.dashboard.campaigns.trying import SINCE, Trial, tried
from referral_rocket.dashboard.links import to
from referral_rocket.dashboard.methods import menu
from referral_rocket.kit.money import is_currency

_REMOVE = "remove_rule_"
# The tabs that lead to the form, and get the person back.
_EDITED_FROM = ("rules", "fulfilment", "settings")


class Editor:
    """The forms of one request. `campaign` None: a new one."""

    def __init__(self, request: Any, campaign: Campaign | None) -> None:
        self.request = request
        self.campaign = campaign
        self.asked: Mapping[str, str] | None = request.POST if request.method == "POST" else None
        self.problems: list[str] = []
        rules: Sequence[RewardRule] = current_rules(campaign) if campaign else ()
        self.form = CampaignForm(self.asked, lines=menu(), campaign=campaign)
        self.rules = rule_forms(self.asked, currency=self._currency(), rules=rules)

    def _currency(self) -> str:
        if self.asked is not None:
            return self.asked.get("currency", "")
        return self.campaign.currency if self.campaign else "USD"

    def first_problem(self) -> str:
        """What is wrong first, by the field's name: a dry run replaces only itself in the page, so nothing is marked."""
        named = [("", self.form), *((f"Rule {number}, ", rule) for number, rule in enumerate(self.rules, start=1))]
        for where, form in named:
            for name, errors in form.errors.items():
                label = f"{where}{form[name].label}" if name in form.fields else where.rstrip(", ")
                return f"{label}: {errors[0]}" if label else str(errors[0])
        return " ".join(self.problems)

    def retype(self, action: str) -> None:
        """Add a rule, or take one away; nothing is checked yet, so nothing is called wrong."""
        asked = self.asked or {}
        positions = [n for n in sent_positions(asked) if action != f"{_REMOVE}{n}"]
        self.form = CampaignForm(lines=menu(), campaign=self.campaign, initial=_typed(CampaignForm.base_fields, asked))
        self.rules = [self._typed_rule(n, asked) for n in positions]
        if action == "add_rule" and len(positions) < MAXIMUM_RULES:
            following = max(positions, default=-1) + 1
            self.rules.append(RuleForm(currency=self._currency(), prefix=f"rules-{following}"))

    def _typed_rule(self, position: int, asked: Mapping[str, str]) -> RuleForm:
        prefix = f"rules-{position}"
        initial = _typed(RuleForm.base_fields, asked, f"{prefix}-")
        return RuleForm(currency=self._currency(), prefix=prefix, initial=initial)

    def terms(self) -> tuple[CampaignTerms, list[RuleTerms]] | None:
        """None where something is wrong; every form has been looked at then."""
        terms = self.form.terms()
        rules = [rule.terms() for rule in self.rules]
        if not rules:
            self.problems.append("A campaign needs at least one rule.")
        complete = [rule for rule in rules if rule is not None]
        if terms is None or not rules or len(complete) != len(rules):
            return None
        return terms, complete

    def _timing(self) -> str:
        bound = self.form if self.form.is_bound else bound_as_it_is(self.form)
        return timing_reading(bound)

    def show(self, status: int = 200, trial: Trial | None = None) -> HttpResponse:
        context = {
            "trial": trial,
            "trial_choices": SINCE,
            "campaign": self.campaign,
            "form": self.form,
            "rules": self.rules,
            "problems": self.problems,
            "sentences": sentences(self.rules),
            "timing": self._timing(),
            "has_errors": self.problems or self.form.errors or any(rule.errors for rule in self.rules),
        }
        return render(self.request, "campaigns/edit.html", context, status=status)


def _typed(fields: Mapping[str, forms.Field], asked: Mapping[str, str], prefix: str = "") -> dict[str, Any]:
    typed: dict[str, Any] = {name: asked.get(f"{prefix}{name}", "") for name in fields}
    for name, field in fields.items():
        if isinstance(field, forms.BooleanField):
            typed[name] = bool(typed[name])
    return typed


def sentences(rules: Sequence[RuleForm]) -> list[tuple[int, str, bool]]:
    """(number, plain-language reading, whether it is complete) of each rule as it is typed."""
    found = []
    for number, form in enumerate(rules, start=1):
        bound = form if form.is_bound else _bound(form)
        terms = bound.terms() if is_currency(bound.currency) else None
        if terms is None:
            found.append((number, "Not complete yet.", False))
            continue
        try:
            found.append((number, in_words(complete_rules([terms])[0], bound.currency), True))
        except InvalidCampaign as error:
            found.append((number, error.errors[0][2], False))
    return found


def timing_reading(form: CampaignForm) -> str:
    """When rewards become due, in words; nothing where a field that says so is wrong."""
    names = ("earning_timing", "statement_day", "delay_days", "holding_days")
    form.is_valid()
    if any(name in form.errors for name in names):
        return ""
    asked = {name: form.cleaned_data[name] for name in names}
    if asked["earning_timing"] == EarningTiming.DELAYED and asked["delay_days"] is None:
        return ""
    return timing_in_words(CampaignTerms(name="", currency="", **asked))


def bound_as_it_is(form: CampaignForm) -> CampaignForm:
    values = {name: form[name].value() for name in form.fields}
    return CampaignForm({name: value for name, value in values.items() if value not in (None, False)}, lines=menu())


def _bound(form: RuleForm) -> RuleForm:
    values = {form.add_prefix(name): form[name].value() for name in form.fields}
    given = {name: value for name, value in values.items() if value is not None and value is not False}
    return RuleForm(given, currency=form.currency, prefix=form.prefix)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RUN_CAMPAIGNS)
def campaign_new(request: Any) -> HttpResponse:
    editor = Editor(request, None)
    if request.method != "POST":
        return editor.show()
    action = request.POST.get("do", "")
    if _retypes(action):
        editor.retype(action)
        return editor.show()
    found = editor.terms()
    if found is None:
        return editor.show(status=422)
    status = CampaignStatus.ACTIVE if action == "activate" else CampaignStatus.DRAFT
    try:
        campaign = campaign_create(
            organization=request.organization, terms=found[0], rules=found[1], actor=request.actor, status=status
        )
    except InvalidCampaign as error:
        editor.problems += place_errors(error.errors, editor.form, editor.rules)
        return editor.show(status=422)
    words = "is active: people can join and earn." if status == CampaignStatus.ACTIVE else "is saved as a draft."
    messages.success(request, f"{campaign.name} {words}")
    return redirect(to(request, "campaign", campaign.pk))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RUN_CAMPAIGNS)
def campaign_edit(request: Any, campaign_id: UUID) -> HttpResponse:
    campaign = get_object_or_404(campaigns(), pk=campaign_id)
    editor = Editor(request, campaign)
    if request.method != "POST":
        return editor.show()
    action = request.POST.get("do", "")
    if _retypes(action):
        editor.retype(action)
        return editor.show()
    found = editor.terms()
    if action == "dry_run":
        return editor.show(trial=tried(request.organization, campaign, found, request.POST, editor.first_problem()))
    return editor.show(status=422) if found is None else _save(request, campaign, editor, found)


def _save(
    request: Any, campaign: Campaign, editor: Editor, found: tuple[CampaignTerms, list[RuleTerms]]
) -> HttpResponse:
    try:
        with transaction.atomic():
            campaign_update(
                organization=request.organization,
                campaign=campaign,
                actor=request.actor,
                terms=found[0],
                rules=found[1],
                has_event=has_event(campaign.pk),
            )
    except InvalidCampaign as error:
        editor.problems += place_errors(error.errors, editor.form, editor.rules)
        return editor.show(status=422)
    except CampaignConflict as error:
        editor.form.add_error("currency" if error.code == "currency_fixed" else None, error.message)
        return editor.show(status=409)
    messages.success(request, "Saved. What was earned already stays as it is.")
    tab = request.GET.get("tab")
    return redirect(to(request, "campaign", campaign.pk) + f"?tab={tab if tab in _EDITED_FROM else _EDITED_FROM[0]}")


def _retypes(action: str) -> bool:
    return action == "add_rule" or action.startswith(_REMOVE)


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def rules_reading(request: Any) -> HttpResponse:
    """The rules as they are being typed, in words: a fragment. Nothing is stored."""
    forms_sent = rule_forms(request.POST, currency=request.POST.get("currency", ""))
    timing = timing_reading(CampaignForm(request.POST, lines=menu()))
    return render(request, "campaigns/reading.html", {"sentences": sentences(forms_sent), "timing": timing})
