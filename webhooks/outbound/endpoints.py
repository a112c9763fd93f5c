"""Making and changing endpoints. Each service is atomic by itself, runs inside `tenant()`, and records no secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction

from campaigns.models import Campaign, CampaignStatus, FulfilmentKind
from integrations.models import DisabledReason, Endpoint, EndpointStatus, EventType, StatusMode
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit.addresses import url_problem
from referral_rocket.kit.clock import rfc3339, wall
from referral_rocket.kit.nudges import nudge
from referral_rocket.kit.signing import new_standard_secret
from rewards.models import Claim, Reward
from rewards.states import ClaimKind, RewardStatus
from webhooks.outbound.claiming import body_text
from webhooks.outbound.connecting import allowed_networks
from webhooks.outbound.errors import AddressNotAllowed, EndpointConflict, InvalidEndpoint
from webhooks.outbound.models import TEST_EVENT, Delivery, DeliveryStatus
from webhooks.outbound.orders import endpoints_stay, orders_make_waiting
from webhooks.outbound.tasks import deliver

DEFAULT_OVERLAP_HOURS = 24
MAXIMUM_OVERLAP_HOURS = 168
_LONGEST_URL = 2000
_LONGEST_DESCRIPTION = 500


@dataclass(frozen=True)
class IssuedSecret:
    """An endpoint with its new secret, which is shown this once."""

    endpoint: Endpoint
    secret: str


@transaction.atomic
def endpoint_create(
    *,
    organization: Organization,
    url: str,
    actor: str,
    event_types: Sequence[str] = (EventType.REWARD,),
    status_mode: str = StatusMode.PENDING,
    description: str = "",
) -> IssuedSecret:
    """A new endpoint, enabled. Rewards that waited for one are ordered. Raises InvalidEndpoint, AddressNotAllowed."""
    _check(url, event_types, status_mode, description)
    secret = new_standard_secret()
    endpoint = Endpoint.objects.create(
        organization=organization,
        url=url,
        description=description,
        status_mode=status_mode,
        event_types=_in_order(event_types),
        secrets={"current": secret},
    )
    _record(endpoint, "endpoint.created", actor)
    _order_what_waits(organization)
    return IssuedSecret(endpoint, secret)


@transaction.atomic
def endpoint_update(
    *,
    endpoint: Endpoint,
    actor: str,
    url: str | None = None,
    description: str | None = None,
    status_mode: str | None = None,
    event_types: Sequence[str] | None = None,
    status: str | None = None,
) -> Endpoint:
    """Change what is given. `ENABLED` sends what is pending; events that exist keep the mode they were made with.

    Raises InvalidEndpoint, AddressNotAllowed.
    """
    # Before the row, which one that deletes wants after it.
    endpoints_stay(endpoint.organization)
    held = _held(endpoint)
    wanted: dict[str, Any] = {
        "url": held.url if url is None else url,
        "description": held.description if description is None else description,
        "status_mode": held.status_mode if status_mode is None else status_mode,
        "event_types": held.event_types if event_types is None else _in_order(event_types),
    }
    if (url, description, status_mode, event_types) != (None, None, None, None):
        _check(wanted["url"], wanted["event_types"], wanted["status_mode"], wanted["description"])
    changed = [name for name, value in wanted.items() if getattr(held, name) != value]
    for name in changed:
        setattr(held, name, wanted[name])
    if status is not None and status != held.status:
        _set_status(held, status)
        changed.append("status")
    if changed:
        held.save()
        _record(held, "endpoint.changed", actor, fields=changed, status=held.status)
        _order_what_waits(held.organization)
    return held


def _set_status(held: Endpoint, status: str) -> None:
    if status == EndpointStatus.ENABLED:
        held.status, held.disabled_reason, held.disabled_at = EndpointStatus.ENABLED, None, None
        # The five days begin anew.
        held.failing_since = None
        nudge(deliver)
    elif status == EndpointStatus.DISABLED:
        held.status, held.disabled_reason, held.disabled_at = status, DisabledReason.BY_PERSON, wall()
    else:
        raise InvalidEndpoint([("status", "invalid_choice", f"Use one of {', '.join(EndpointStatus.values)}.")])


@transaction.atomic
def endpoint_rotate_secret(
    *, endpoint: Endpoint, actor: str, overlap_hours: int = DEFAULT_OVERLAP_HOURS
) -> IssuedSecret:
    """A new secret; for `overlap_hours` (up to 168) we sign with the old one too. Raises InvalidEndpoint."""
    if not 0 <= overlap_hours <= MAXIMUM_OVERLAP_HOURS:
        message = f"Use 0 to {MAXIMUM_OVERLAP_HOURS} hours."
        raise InvalidEndpoint([("overlap_hours", "out_of_range", message)])
    held = _held(endpoint)
    secret = new_standard_secret()
    until = wall() + timedelta(hours=overlap_hours)
    held.secrets = {"current": secret, "previous": held.secrets["current"], "previous_until": rfc3339(until)}
    held.save(update_fields=["secrets", "updated_at"])
    _record(held, "endpoint.secret_rotated", actor, overlap_hours=overlap_hours)
    return IssuedSecret(held, secret)


@transaction.atomic
def endpoint_delete(*, endpoint: Endpoint, actor: str) -> None:
    """Send it nothing more and show it no more; its log stays on record.

    Raises EndpointConflict: `orders_open` while rewards that were ordered from it have no outcome or wait for it,
    `in_use` while a campaign names it.
    """
    endpoints_stay(endpoint.organization, unless_we_delete=True)
    held = _held(endpoint)
    if _has_open_orders(held):
        raise EndpointConflict("orders_open", "Rewards that were ordered from this endpoint have no outcome yet.")
    campaigns = Campaign.objects.filter(fulfilment_endpoint=held, fulfilment_kind=FulfilmentKind.WEBHOOK)
    if campaigns.exclude(status=CampaignStatus.ENDED).exists():
        raise EndpointConflict("in_use", "A campaign names this endpoint for its orders. Change the campaign first.")
    held.deleted_at = wall()
    held.save(update_fields=["deleted_at", "updated_at"])
    now = wall()
    Delivery.objects.filter(endpoint=held, status=DeliveryStatus.PENDING).update(
        status=DeliveryStatus.SKIPPED, reason="The endpoint was deleted.", finished_at=now, lease_token=None
    )
    _record(held, "endpoint.deleted", actor)


def _has_open_orders(endpoint: Endpoint) -> bool:
    due = (RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)
    ordered = Delivery.objects.filter(endpoint=endpoint, event_type=EventType.REWARD, claim__isnull=False)
    claims = Claim.objects.filter(kind=ClaimKind.ORDER, closed_at__isnull=True, pk__in=ordered.values("claim"))
    named = Reward.objects.filter(
        fulfilment_endpoint=endpoint, fulfilment_kind=FulfilmentKind.WEBHOOK, status__in=[RewardStatus.EARNED, *due]
    )
    return claims.exists() or named.exists()


@transaction.atomic
def endpoint_test(*, endpoint: Endpoint, actor: str) -> Delivery:
    """Queue a test event, through the same guard, signature and log as any other. Raises EndpointConflict."""
    held = _held(endpoint)
    if held.status == EndpointStatus.DISABLED:
        raise EndpointConflict("endpoint_disabled", "The endpoint is disabled. Enable it, then test it.")
    now = wall()
    delivery = Delivery.objects.create(
        organization=held.organization,
        endpoint=held,
        event_type=TEST_EVENT,
        body=body_text({"object": TEST_EVENT, "data": {}}),
        next_attempt_at=now,
        created_at=now,
    )
    _record(held, "endpoint.tested", actor)
    nudge(deliver)
    return delivery


def _held(endpoint: Endpoint) -> Endpoint:
    # Not against KEY SHARE, which a delivery's foreign key takes while its transaction holds rewards.
    return (
        Endpoint.objects.select_for_update(of=("self",), no_key=True).select_related("organization").get(pk=endpoint.pk)
    )


def _order_what_waits(organization: Organization) -> None:
    if orders_make_waiting(organization=organization):
        nudge(deliver)


def _in_order(event_types: Sequence[str]) -> list[str]:
    known = [str(each) for each in EventType.values]
    return sorted(set(event_types), key=lambda each: known.index(each) if each in known else len(known))


def _check(url: str, event_types: Sequence[str], status_mode: str, description: str) -> None:
    errors = []
    if not url or len(url) > _LONGEST_URL:
        errors.append(("url", "invalid", f"Give a URL of at most {_LONGEST_URL} characters."))
    if not event_types:
        errors.append(("event_types", "required", "Choose at least one type of event."))
    unknown = [each for each in event_types if each not in EventType.values]
    if unknown:
        errors.append(("event_types", "invalid_choice", f"Use {', '.join(EventType.values)}."))
    if status_mode not in StatusMode.values:
        errors.append(("status_mode", "invalid_choice", f"Use one of {', '.join(StatusMode.values)}."))
    if len(description) > _LONGEST_DESCRIPTION:
        errors.append(("description", "too_long", f"Use at most {_LONGEST_DESCRIPTION} characters."))
    if errors:
        raise InvalidEndpoint(errors)
    problem = url_problem(url, allowed_networks())
    if problem is not None:
        raise AddressNotAllowed(problem)


def _record(endpoint: Endpoint, kind: str, actor: str, **data: object) -> None:
    record(
        organization=endpoint.organization,
        actor=actor,
        happenings=[Happening(kind, "endpoint", endpoint.pk, data=data)],
    )
