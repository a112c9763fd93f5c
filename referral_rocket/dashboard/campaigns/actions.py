"""What is done to a campaign with one press: start, pause, end, duplicate."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from campaigns.errors import CampaignConflict
from campaigns.models import Campaign, CampaignStatus
from campaigns.services import auto_issue_pause, campaign_duplicate, campaign_update
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard.abilities import requires
from referral_rocket.dashboard.links import to

END_WORD = "END"
_DONE = {
    CampaignStatus.ACTIVE: "is active: people can join and earn.",
    CampaignStatus.PAUSED: "is paused: new events earn nothing until it goes on.",
    CampaignStatus.ENDED: "has ended. What is due is still issued.",
}
# What takes a change back, by what the campaign was and has become.
_UNDO = {
    (CampaignStatus.ACTIVE, CampaignStatus.PAUSED): CampaignStatus.ACTIVE,
    (CampaignStatus.PAUSED, CampaignStatus.ACTIVE): CampaignStatus.PAUSED,
}


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def campaign_status(request: Any, campaign_id: UUID, status: str) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    if status not in _DONE:
        raise Http404("A campaign has no such status to go to.")
    page = to(request, "campaign", campaign.pk)
    if status == CampaignStatus.ENDED and request.POST.get("confirmation", "").strip() != END_WORD:
        messages.error(request, f"Type {END_WORD} to end the campaign. Nothing was changed.")
        return redirect(page)
    before = campaign.status
    try:
        campaign_update(organization=request.organization, campaign=campaign, actor=request.actor, status=status)
    except CampaignConflict as error:
        messages.error(request, error.message)
        return redirect(page)
    back = _UNDO.get((CampaignStatus(before), CampaignStatus(status)))
    undo = f"undo:{to(request, 'campaign_status', campaign.pk, back)}" if back else ""
    messages.success(request, f"{campaign.name} {_DONE[CampaignStatus(status)]}", extra_tags=undo)
    return redirect(page)


@require_POST
@requires(Ability.RUN_CAMPAIGNS)
def campaign_copy(request: Any, campaign_id: UUID) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    copy = campaign_duplicate(organization=request.organization, campaign=campaign, actor=request.actor)
    messages.success(request, "A draft with the same terms and rules. Change what is different, then activate it.")
    return redirect(to(request, "campaign_edit", copy.pk))


@require_POST
@requires(Ability.ISSUE)
def automatic_pause(request: Any, campaign_id: UUID) -> HttpResponse:
    """Stop issuing by itself (`paused` 1), or go on (0); back to where the button stood."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    paused = request.POST.get("paused") == "1"
    auto_issue_pause(organization=request.organization, campaign=campaign, paused=paused, actor=request.actor)
    if paused:
        messages.success(request, f"{campaign.name}: nothing is issued by itself until it goes on.")
    else:
        messages.success(request, f"{campaign.name} issues by itself again.")
    if request.POST.get("back") == "rewards":
        return redirect(to(request, "rewards"))
    return redirect(to(request, "campaign", campaign.pk) + "?tab=fulfilment")
