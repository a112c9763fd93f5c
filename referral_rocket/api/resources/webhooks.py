"""`/webhook-endpoints` and `/deliveries`."""

from uuid import UUID

from rest_framework.request import Request

from integrations.models import Endpoint
from referral_rocket.accounts.models import Scope
from referral_rocket.api.answers import Answer
from referral_rocket.api.fields import Paging
from referral_rocket.api.operations import operation
from referral_rocket.api.pagination import page
from referral_rocket.api.payloads import webhooks as payloads
from referral_rocket.api.resources.lookup import one
from referral_rocket.api.shapes.webhooks import (
    DeliveryFilters,
    DeliveryShape,
    EndpointChange,
    EndpointNew,
    EndpointShape,
    EndpointWithSecret,
    Replay,
    Replayed,
    Rotation,
)
from referral_rocket.api.views import ApiView
from webhooks.outbound.deliveries import deliveries_replay, delivery_retry
from webhooks.outbound.endpoints import (
    IssuedSecret,
    endpoint_create,
    endpoint_delete,
    endpoint_rotate_secret,
    endpoint_test,
    endpoint_update,
)
from webhooks.outbound.models import Delivery
from webhooks.outbound.selectors import deliveries, endpoints, with_attempts


class EndpointsView(ApiView):
    @operation(
        "webhook_endpoints_list",
        "Webhook endpoints, newest first",
        scope=Scope.READ,
        filters=Paging,
        answers={200: EndpointShape},
        listed=True,
    )
    def get(self, request: Request) -> Answer:
        return page(endpoints(), self.query, payloads.endpoints)

    @operation(
        "webhook_endpoint_create",
        "Add a webhook endpoint",
        takes=EndpointNew,
        answers={201: EndpointWithSecret},
        refuses={422: ["address_not_allowed"]},
        about="`secret` signs what is sent, by Standard Webhooks; it is in this answer and nowhere else.",
    )
    def post(self, request: Request) -> Answer:
        return Answer(
            201, _with_secret(endpoint_create(organization=self.organization, actor=self.actor, **self.given))
        )


class EndpointView(ApiView):
    @operation("webhook_endpoint_get", "One webhook endpoint", scope=Scope.READ, answers={200: EndpointShape})
    def get(self, request: Request, endpoint_id: UUID) -> Answer:
        return Answer(200, payloads.endpoint(_endpoint(endpoint_id)))

    @operation(
        "webhook_endpoint_update",
        "Change, enable or disable a webhook endpoint",
        takes=EndpointChange,
        answers={200: EndpointShape},
        refuses={422: ["address_not_allowed"]},
        about="Events go on being kept while it is disabled; enabling sends what is pending.",
    )
    def patch(self, request: Request, endpoint_id: UUID) -> Answer:
        changed = endpoint_update(endpoint=_endpoint(endpoint_id), actor=self.actor, **self.given)
        return Answer(200, payloads.endpoint(changed))

    @operation(
        "webhook_endpoint_delete",
        "Delete a webhook endpoint",
        answers={204: None},
        refuses={409: ["orders_open", "in_use"]},
    )
    def delete(self, request: Request, endpoint_id: UUID) -> Answer:
        endpoint_delete(endpoint=_endpoint(endpoint_id), actor=self.actor)
        return Answer(204)


class EndpointSecretView(ApiView):
    @operation(
        "webhook_endpoint_rotate_secret",
        "Give a webhook endpoint a new secret",
        takes=Rotation,
        answers={200: EndpointWithSecret},
        about="Until the overlap is over, each request carries two signatures, and either verifies.",
    )
    def post(self, request: Request, endpoint_id: UUID) -> Answer:
        issued = endpoint_rotate_secret(endpoint=_endpoint(endpoint_id), actor=self.actor, **self.given)
        return Answer(200, _with_secret(issued))


class EndpointTestView(ApiView):
    @operation(
        "webhook_endpoint_test",
        "Send a test event",
        answers={202: DeliveryShape},
        refuses={409: ["endpoint_disabled"]},
        about='Sends `{"object": "TEST", "data": {}}`, never a reward.',
    )
    def post(self, request: Request, endpoint_id: UUID) -> Answer:
        made = endpoint_test(endpoint=_endpoint(endpoint_id), actor=self.actor)
        return Answer(202, payloads.delivery(made))


class EndpointReplayView(ApiView):
    @operation(
        "webhook_endpoint_replay",
        "Send again what was made since a time",
        takes=Replay,
        answers={202: Replayed},
        about="Under the same webhook-id and with the same body. Orders of canceled rewards are skipped.",
    )
    def post(self, request: Request, endpoint_id: UUID) -> Answer:
        count = deliveries_replay(endpoint=_endpoint(endpoint_id), actor=self.actor, **self.given)
        return Answer(202, {"count": count})


class EndpointDeliveriesView(ApiView):
    @operation(
        "webhook_endpoint_deliveries",
        "What a webhook endpoint was sent, newest first",
        scope=Scope.READ,
        filters=DeliveryFilters,
        answers={200: DeliveryShape},
        listed=True,
    )
    def get(self, request: Request, endpoint_id: UUID) -> Answer:
        wanted = {name: self.query[name] for name in ("status", "event_type") if name in self.query}
        found = deliveries(_endpoint(endpoint_id)).filter(**wanted)
        return page(with_attempts(found), self.query, payloads.deliveries)


class DeliveryView(ApiView):
    @operation("delivery_get", "One delivery with its attempts", scope=Scope.READ, answers={200: DeliveryShape})
    def get(self, request: Request, delivery_id: UUID) -> Answer:
        return Answer(200, payloads.delivery(_delivery(delivery_id)))


class DeliveryRetryView(ApiView):
    @operation(
        "delivery_retry",
        "Send one delivery again now",
        answers={202: DeliveryShape},
        refuses={409: ["endpoint_deleted"]},
    )
    def post(self, request: Request, delivery_id: UUID) -> Answer:
        return Answer(202, payloads.delivery(delivery_retry(delivery=_delivery(delivery_id), actor=self.actor)))


def _endpoint(endpoint_id: UUID) -> Endpoint:
    return one(endpoints(), endpoint_id, "webhook endpoint")


def _delivery(delivery_id: UUID) -> Delivery:
    return one(with_attempts(Delivery.objects.all()), delivery_id, "delivery")


def _with_secret(issued: IssuedSecret) -> dict[str, object]:
    return {**payloads.endpoint(issued.endpoint), "secret": issued.secret}
