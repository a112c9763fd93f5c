"""What is done on a participant's page. Each is a POST; what can't be done shows the page again with the reason."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from participants.errors import ParticipantsError
from participants.models import Participant, QualifyingEvent, Source
from participants.services import participant_ban, participant_refer, participant_unban
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.participants.forms import BanForm, EventForm, ReferrerForm, RewardForm
from referral_rocket.dashboard.participants.profile import participant_or_404, show
from referral_rocket.kit import clock
from referral_rocket.kit.money import format_money
from rewards.errors import EventNotUndoable, EventRefused, InvalidReward, TransactionConflict
from rewards.services.confirming import reward_give
from rewards.services.earning import DUPLICATE, EventReport, EventResult, event_record
from rewards.services.erasing import person_erase
from rewards.services.undoing import event_undo

# Typed before a person is erased (templates/participants/dialogs.html): it can't be undone.
ERASE_WORD = "ERASE"


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def event_mark(request: Any, participant_id: UUID) -> HttpResponse:
    participant = participant_or_404(participant_id)
    form = EventForm(request.POST, campaign=participant.campaign, organization=request.organization)
    if form.is_valid():
        result = _record(request, participant, form)
        if result is not None:
            _tell(request, result)
            return _back(request, participant)
    return show(request, participant, opened="event", status=422, event_form=form)


def _record(request: Any, participant: Participant, form: EventForm) -> EventResult | None:
    given = form.cleaned_data
    report = EventReport(
        campaign_id=participant.campaign_id,
        participant_id=participant.pk,
        source=Source.HAND,
        type=participant.campaign.qualifying_event,
        transaction_id=given["transaction_id"] or None,
        amount=given["amount"],
        currency=participant.campaign.currency if given["amount"] is not None else None,
        occurred_at=given["occurred_at"],
    )
    try:
        return event_record(organization=request.organization, report=report, actor=request.actor)
    except TransactionConflict as error:
        form.add_error("transaction_id", error.message)
    except EventRefused as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
    return None


def _tell(request: Any, result: EventResult) -> None:
    if result.outcome == DUPLICATE:
        differs = " with another amount; the first one stands" if result.differs else ""
        messages.warning(request, f"This event is on record already{differs}. It counts once.")
        return
    undo = f"undo:{links.to(request, 'event_undo', result.event.pk)}"
    if not result.rewards:
        reasons = " ".join(dict.fromkeys(decision.message for decision in result.decisions))
        messages.success(request, f"Event marked complete. No reward: {reasons}", extra_tags=undo)
        return
    amounts = ", ".join(format_money(reward.amount, reward.currency) for reward in result.rewards)
    noun = "reward" if len(result.rewards) == 1 else "rewards"
    messages.success(
        request, f"Event marked complete. {len(result.rewards)} {noun} earned: {amounts}.", extra_tags=undo
    )


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def undo_event(request: Any, event_id: UUID) -> HttpResponse:
    event = get_object_or_404(QualifyingEvent.objects.select_related("participant"), pk=event_id)
    try:
        event_undo(organization=request.organization, event=event, actor=request.actor)
        messages.success(request, "The event was undone, and what it earned is canceled.")
    except EventNotUndoable as error:
        messages.error(request, error.message)
    return _back(request, event.participant)


@require_POST
@requires(Ability.ISSUE)
def reward_one_time(request: Any, participant_id: UUID) -> HttpResponse:
    participant = participant_or_404(participant_id)
    form = RewardForm(request.POST, campaign=participant.campaign)
    if form.is_valid():
        try:
            reward = reward_give(
                organization=request.organization, participant=participant, actor=request.actor, **form.cleaned_data
            )
        except InvalidReward as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            state = "waits for review" if reward.waiting_for else "is due"
            messages.success(request, f"A reward of {format_money(reward.amount, reward.currency)} {state}.")
            return _back(request, participant)
    return show(request, participant, opened="reward", status=422, reward_form=form)


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def referrer_set(request: Any, participant_id: UUID) -> HttpResponse:
    participant = participant_or_404(participant_id)
    form = ReferrerForm(request.POST)
    if form.is_valid():
        try:
            referred = participant_refer(
                organization=request.organization,
                participant=participant,
                actor=request.actor,
                at=clock.now(request.organization),
                **form.cleaned_data,
            )
        except ParticipantsError as error:
            form.add_error("referral_code", error.message)
        else:
            assert referred.referred_by is not None
            messages.success(request, f"Referred by {referred.referred_by.customer} from now on.")
            return _back(request, participant)
    return show(request, participant, opened="referrer", status=422, referrer_form=form)


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def ban(request: Any, participant_id: UUID) -> HttpResponse:
    participant = participant_or_404(participant_id)
    form = BanForm(request.POST)
    if not form.is_valid():
        return show(request, participant, opened="ban", status=422, ban_form=form)
    participant_ban(
        organization=request.organization, participant=participant, actor=request.actor, **form.cleaned_data
    )
    undo = f"undo:{links.to(request, 'participant_unban', participant.pk)}"
    messages.success(request, f"{participant.customer} earns nothing from now on.", extra_tags=undo)
    return _back(request, participant)


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def unban(request: Any, participant_id: UUID) -> HttpResponse:
    participant = participant_or_404(participant_id)
    participant_unban(organization=request.organization, participant=participant, actor=request.actor)
    messages.success(request, f"{participant.customer} can earn again.")
    return _back(request, participant)


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def erase(request: Any, participant_id: UUID) -> HttpResponse:
    participant = participant_or_404(participant_id)
    if request.POST.get("confirmation") != ERASE_WORD:
        messages.error(request, f"Nothing was erased: type {ERASE_WORD} to confirm.")
        return _back(request, participant)
    customer = person_erase(organization=request.organization, customer_id=participant.customer_id, actor=request.actor)
    messages.success(request, f"Erased in all campaigns. What was issued stays on record as {customer.pseudonym}.")
    return _back(request, participant)


def _back(request: Any, participant: Participant) -> HttpResponse:
    return redirect(links.to(request, "participant", participant.pk))
