"""Orders: a due reward that the tenant's system issues becomes one delivery to one endpoint, under the reward's claim.

The claim is unique per reward while it is open, so a reward is never ordered twice, whatever runs at once; the endpoint
is the one that the campaign named when the reward became due, else the oldest enabled one that takes orders. Where
there is none the reward stays unclaimed and says so, and is ordered when there is one.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction

from campaigns.models import FulfilmentKind
from integrations.models import Endpoint, EndpointStatus, EventType, StatusMode
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.kit.clock import wall
from rewards.errors import BeingIssued
from rewards.models import Claim, Reward
from rewards.payloads import reward_data
from rewards.services.claims import claimed, claims_open
from rewards.services.ordering import order_release, orders_found_endpoint, orders_without_endpoint
from rewards.states import ClaimKind, RewardStatus, WaitingFor
from webhooks.outbound.claiming import body_text
from webhooks.outbound.models import Delivery, DeliveryStatus

ACTOR = "system:webhooks"
CLAIM = 500
_DUE = (RewardStatus.PENDING, RewardStatus.PENDING_DEDUCTION)
# What an order says a reward is, where a 2xx answer is the confirmation.
_AS_CONFIRMED = {RewardStatus.PENDING: RewardStatus.AVAILABLE, RewardStatus.PENDING_DEDUCTION: RewardStatus.DEDUCTED}


def orders_make(*, organization: Organization, reward_ids: Sequence[UUID]) -> int:
    """Order those of the rewards that are to be ordered and aren't yet; how many. Inside `tenant()`."""
    endpoints_stay(organization)
    rewards = list(
        Reward.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer")
        .filter(pk__in=reward_ids, status__in=_DUE, fulfilment_kind=FulfilmentKind.WEBHOOK)
        # A deduction that waits for the next aggregate is told of with that.
        .exclude(waiting_for=WaitingFor.AGGREGATION)
        .order_by("pk")
    )
    taken = claimed(reward.pk for reward in rewards)
    wanted = [(reward, endpoint) for reward, endpoint in _with_endpoints(rewards) if reward.pk not in taken]
    orders_without_endpoint(
        organization=organization, rewards=[reward for reward, endpoint in wanted if endpoint is None], actor=ACTOR
    )
    found = [(reward, endpoint) for reward, endpoint in wanted if endpoint is not None]
    claims = claims_open(organization=organization, rewards=[reward for reward, _ in found], kind=ClaimKind.ORDER)
    orders = [_order(reward, endpoint, claims[reward.pk]) for reward, endpoint in found if reward.pk in claims]
    Delivery.objects.bulk_create(orders)
    for reward, endpoint in found:
        if reward.pk in claims and reward.fulfilment_endpoint_id is None:
            # From now on this endpoint is the reward's, whatever becomes of the default.
            Reward.objects.filter(pk=reward.pk).update(fulfilment_endpoint=endpoint)
    orders_found_endpoint(organization=organization, rewards=[reward for reward, _ in found], actor=ACTOR)
    return len(orders)


def endpoints_stay(organization: Organization, *, unless_we_delete: bool = False) -> None:
    """Until the transaction ends no endpoint is deleted: an order would be left at one that is gone.

    The one that deletes waits until nobody orders (`unless_we_delete`).
    """
    lock = "pg_advisory_xact_lock" if unless_we_delete else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtextextended(%s, 0))", [f"endpoints:{organization.pk}"])


def _with_endpoints(rewards: Sequence[Reward]) -> list[tuple[Reward, Endpoint | None]]:
    if not rewards:
        return []
    endpoints = list(Endpoint.objects.filter(deleted_at__isnull=True).order_by("pk"))
    by_id = {endpoint.pk: endpoint for endpoint in endpoints}
    default = next(
        (each for each in endpoints if each.status == EndpointStatus.ENABLED and EventType.REWARD in each.event_types),
        None,
    )
    # An endpoint that was named stays the one while it is disabled: never silently another.
    return [
        (reward, by_id.get(reward.fulfilment_endpoint_id) if reward.fulfilment_endpoint_id else default)
        for reward in rewards
    ]


def _order(reward: Reward, endpoint: Endpoint, claim: Claim) -> Delivery:
    confirms = endpoint.status_mode == StatusMode.AVAILABLE
    data = reward_data(reward, reward.customer.external_id)
    if confirms:
        data["status"] = str(_AS_CONFIRMED[RewardStatus(reward.status)])
    now = wall()
    return Delivery(
        organization_id=reward.organization_id,
        endpoint=endpoint,
        event_type=EventType.REWARD,
        reward=reward,
        claim=claim,
        confirms=confirms,
        body=body_text({"data": data, "object": str(EventType.REWARD)}),
        next_attempt_at=now,
        created_at=now,
    )


def orders_make_waiting(*, organization: Organization) -> int:
    """Order the first of what waited for an endpoint; how many. Inside `tenant()`. The sweep orders the rest."""
    return orders_make(organization=organization, reward_ids=_waiting(organization, None))


def _waiting(organization: Organization, after: UUID | None) -> list[UUID]:
    waiting = Reward.objects.filter(organization=organization, waiting_for=WaitingFor.NO_ENDPOINT, status__in=_DUE)
    if after is not None:
        waiting = waiting.filter(pk__gt=after)
    return list(waiting.order_by("pk").values_list("pk", flat=True)[:CLAIM])


def orders_make_everywhere() -> int:
    """The sweep: order what waited for an endpoint, in every organization."""
    with every_organization("sweep of rewards without an endpoint"):
        waiting = Reward.objects.filter(waiting_for=WaitingFor.NO_ENDPOINT, status__in=_DUE)
        organizations = list(Organization.objects.filter(pk__in=waiting.values("organization")).order_by("pk"))
    ordered = 0
    for organization in organizations:
        last = None
        while True:
            with tenant(organization):
                # From page to page: rewards whose own endpoint is gone stay, and must not keep the others waiting.
                page = _waiting(organization, last)
                ordered += orders_make(organization=organization, reward_ids=page)
            if len(page) < CLAIM:
                break
            last = page[-1]
    return ordered


@transaction.atomic
def order_take_back(*, organization: Organization, reward: Reward, actor: str) -> Reward:
    """Let a person issue from here what the tenant's system didn't: its order is not sent again.

    Raises BeingIssued while an attempt is out, InvalidRewardTransition where the reward isn't due by webhook.
    """
    deliveries = list(
        Delivery.objects.select_for_update().filter(reward=reward, status=DeliveryStatus.PENDING).order_by("pk")
    )
    now = wall()
    if any(each.lease_token is not None and each.next_attempt_at > now for each in deliveries):
        raise BeingIssued("The order is being sent right now. Try again in a minute.")
    Delivery.objects.filter(pk__in=[each.pk for each in deliveries]).update(
        status=DeliveryStatus.SKIPPED, reason="The reward was taken back.", finished_at=now, lease_token=None
    )
    return order_release(organization=organization, reward=reward, actor=actor)
