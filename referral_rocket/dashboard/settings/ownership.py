"""What only owners do: hand the organization over, and delete it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from campaigns.models import Campaign, CampaignStatus
from campaigns.services import campaign_update
from integrations.models import Connection, Endpoint, EndpointStatus
from integrations.services import connection_disconnect
from referral_rocket.accounts.errors import LastOwner, NotAMember, OrganizationBusy
from referral_rocket.accounts.models import Membership, Organization
from referral_rocket.accounts.roles import Ability, may
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.selectors import organizations_of
from referral_rocket.accounts.services import access_end, ownership_hand_over
from referral_rocket.activity.services import Happening, record
from referral_rocket.dashboard import links
from referral_rocket.dashboard.abilities import requires
from referral_rocket.kit import clock
from rewards.models import Claim
from webhooks.outbound.endpoints import endpoint_update


@require_POST
@requires(Ability.DELETE)
def hand_over(request: Any) -> HttpResponse:
    if request.organization.is_test:
        raise PermissionDenied("Members are managed in the live organization.")
    try:
        owner = Membership.objects.get(organization=request.organization, user=request.user)
        heir = ownership_hand_over(owner=owner, to=UUID(request.POST.get("membership", "")))
    except ValueError:
        messages.error(request, "Choose a member who isn't an owner yet.")
    except (LastOwner, NotAMember) as error:
        messages.error(request, error.message)
    else:
        happening = Happening("organization.handed_over", "membership", heir.pk)
        record(organization=request.organization, actor=request.actor, happenings=[happening])
        messages.success(request, f"{heir.user} owns {request.organization.name} now, and you are an admin.")
    return redirect(links.to(request, "settings"))


@require_POST
@login_required
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Outside any organization's address, since the test twin is another tenant."""
    accesses = organizations_of(request.user)  # type: ignore[arg-type]
    access = next((each for each in accesses if each.organization.slug == slug), None)
    if access is None:
        raise Http404("There is no such organization, or you aren't in it.")
    held = access.organization
    if held.is_test or not may(access.role, Ability.DELETE):
        raise PermissionDenied("Only an owner can delete an organization, and only a live one with its test twin.")
    if request.POST.get("confirmation") != held.name:
        messages.error(request, f"Nothing was deleted. Type {held.name} to confirm.")
        return redirect(f"/o/{slug}/settings/")
    try:
        organization_delete(organization=held, actor=f"user:{request.user.pk}")
    except OrganizationBusy as error:
        messages.error(request, error.message)
        return redirect(f"/o/{slug}/settings/")
    messages.success(request, f"{held.name} was deleted.")
    return redirect("home")


@transaction.atomic
def organization_delete(*, organization: Organization, actor: str) -> None:
    """Close a live organization and its test twin: no member, key, link or webhook reaches them, and nothing is issued.

    What is on record stays, as every amount has to be explained (ADR 17). One transaction: all of it, or nothing. Who asks
    a second time changes nothing. A batch that is begun at the same moment finds no connection, and pays nobody.
    Raises OrganizationBusy while rewards of the live one are being issued: what becomes of them has to be seen.
    """
    pair = list(
        Organization.objects.select_for_update(no_key=True)
        .filter(pk__in=[organization.pk, organization.test_organization.pk])
        .order_by("mode")
    )
    if any(each.deleted_at for each in pair):
        return
    for each in pair:
        with tenant(each):
            if not each.is_test:
                _check_nothing_is_being_issued()
            _stop(each, actor)
            happening = Happening("organization.deleted", "organization", each.pk)
            record(organization=each, actor=actor, happenings=[happening])
    Organization.objects.filter(pk__in=[each.pk for each in pair]).update(deleted_at=clock.wall())


def _check_nothing_is_being_issued() -> None:
    count = Claim.objects.filter(closed_at__isnull=True).count()
    if count:
        rewards = "1 reward is" if count == 1 else f"{count:,} rewards are"
        raise OrganizationBusy(
            f"{rewards} being issued, or without an outcome yet. Wait for that or cancel the batch, then delete."
        )


def _stop(organization: Organization, actor: str) -> None:
    for campaign in Campaign.objects.exclude(status=CampaignStatus.ENDED).order_by("pk"):
        campaign_update(organization=organization, campaign=campaign, actor=actor, status=CampaignStatus.ENDED)
    for endpoint in Endpoint.objects.filter(deleted_at__isnull=True).order_by("pk"):
        endpoint_update(endpoint=endpoint, actor=actor, status=EndpointStatus.DISABLED)
    for connection in Connection.objects.order_by("pk"):
        connection_disconnect(connection=connection, actor=actor)
    access_end(organization=organization)
