"""Adding a participant by hand."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods
from django_scopes.forms import SafeModelChoiceField

from campaigns.models import Campaign, CampaignStatus
from participants.attribution import InvalidEmail
from participants.errors import IdTaken, ParticipantsError
from participants.services import Joined, participant_join
from referral_rocket.accounts.roles import Ability
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires


class ParticipantForm(forms.Form):
    campaign = SafeModelChoiceField(queryset=Campaign.objects.none(), empty_label="Choose a campaign")
    email = forms.EmailField(label="E-mail", max_length=320)
    name = forms.CharField(max_length=200, required=False)
    external_id = forms.CharField(
        label="Your own id", max_length=200, required=False, help_text="The customer's id in your shop or CRM."
    )
    referral_code = forms.CharField(
        label="Referred by",
        max_length=32,
        required=False,
        help_text="The referral code of the participant who brought this person. It can't be changed once an event has counted.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Set here: a queryset made while the class is made has no organization.
        self.fields["campaign"].queryset = Campaign.objects.exclude(status=CampaignStatus.ENDED).order_by("name")  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RUN_CAMPAIGNS)
def participant_add(request: Any) -> HttpResponse:
    form = ParticipantForm(
        request.POST if request.method == "POST" else None, initial={"campaign": request.GET.get("campaign")}
    )
    if request.method == "POST" and form.is_valid():
        joined = _join(request, form)
        if joined is not None:
            if joined.created:
                messages.success(request, f"{joined.participant.customer} was added.")
            else:
                messages.warning(request, f"{joined.participant.customer} is in this campaign already.")
            return redirect(links.to(request, "participant", joined.participant.pk))
    status = 422 if form.is_bound else 200
    return render(request, "participants/add.html", {"form": form}, status=status)


def _join(request: Any, form: ParticipantForm) -> Joined | None:
    """None where it is refused; the form then says why, at the field that is wrong."""
    given = form.cleaned_data
    try:
        return participant_join(
            organization=request.organization,
            campaign=given["campaign"],
            email=given["email"],
            name=given["name"],
            external_id=given["external_id"] or None,
            referral_code=given["referral_code"] or None,
            actor=request.actor,
        )
    except InvalidEmail as error:
        form.add_error("email", str(error))
    except IdTaken as error:
        form.add_error("external_id", error.message)
    except ParticipantsError as error:
        form.add_error("referral_code", error.message)
    return None
