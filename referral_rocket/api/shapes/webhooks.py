"""Webhook endpoints and what is delivered to them."""

from typing import Any

from rest_framework import serializers

from integrations.models import DisabledReason, EndpointStatus, EventType, StatusMode
from referral_rocket.api.fields import Choice, Flag, Moment, Paging, Strict, Text, WebAddress, Whole
from webhooks.outbound.endpoints import DEFAULT_OVERLAP_HOURS, MAXIMUM_OVERLAP_HOURS
from webhooks.outbound.models import TEST_EVENT, DeliveryStatus

LONGEST_DESCRIPTION = 500
EVENT_TYPES = tuple(EventType.values)
DELIVERED_TYPES = (*EVENT_TYPES, TEST_EVENT)


def _event_types(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=Choice(EVENT_TYPES),
        min_length=1,
        max_length=len(EVENT_TYPES),
        help_text="REWARD takes orders to issue a reward; the others tell what happened.",
        **options,
    )


class EndpointNew(Strict):
    url = WebAddress(help_text="https, or http into an allowed private network.")
    description = Text(max_length=LONGEST_DESCRIPTION, min_length=0, allow_blank=True, required=False)
    status_mode = Choice(StatusMode.values, required=False, help_text="AVAILABLE: a 2xx answer confirms an order.")
    event_types = _event_types(required=False)


class EndpointChange(Strict):
    url = WebAddress(required=False)
    description = Text(max_length=LONGEST_DESCRIPTION, min_length=0, allow_blank=True, required=False)
    status_mode = Choice(StatusMode.values, required=False)
    event_types = _event_types(required=False)
    status = Choice(EndpointStatus.values, required=False, help_text="ENABLED sends what is pending.")


class Rotation(Strict):
    overlap_hours = Whole(
        required=False,
        min_value=0,
        max_value=MAXIMUM_OVERLAP_HOURS,
        help_text=f"How long the old secret signs too. Default: {DEFAULT_OVERLAP_HOURS}.",
    )


class Replay(Strict):
    since = Moment(help_text="Events from this time on.")
    until = Moment(required=False, allow_null=True, help_text="Events before this time. Default: now.")
    only_failed = Flag(required=False)


class DeliveryFilters(Paging):
    status = Choice(DeliveryStatus.values, required=False)
    event_type = Choice(DELIVERED_TYPES, required=False)


class EndpointShape(serializers.Serializer[object]):
    endpoint_id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    status_mode = serializers.ChoiceField(choices=StatusMode.values)
    event_types = serializers.ListField(child=serializers.ChoiceField(choices=EVENT_TYPES))
    status = serializers.ChoiceField(choices=EndpointStatus.values)
    disabled_reason = serializers.ChoiceField(choices=DisabledReason.values, allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True, help_text="The first failure after the last success.")
    last_success_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class EndpointWithSecret(EndpointShape):
    secret = serializers.CharField(allow_null=True, help_text="Shown this once; null in a replayed answer.")


class Replayed(serializers.Serializer[object]):
    count = serializers.IntegerField(help_text="How many deliveries are sent again.")


class AttemptShape(serializers.Serializer[object]):
    at = serializers.DateTimeField()
    status_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    duration_ms = serializers.IntegerField()
    response_excerpt = serializers.CharField(allow_blank=True, help_text="The first 2 KB of the answer.")


class DeliveryShape(serializers.Serializer[object]):
    delivery_id = serializers.UUIDField()
    webhook_id = serializers.CharField(help_text="The webhook-id header of every attempt.")
    endpoint_id = serializers.UUIDField()
    event_type = serializers.ChoiceField(choices=DELIVERED_TYPES)
    status = serializers.ChoiceField(choices=DeliveryStatus.values)
    reason = serializers.CharField(allow_null=True)
    reward_id = serializers.UUIDField(allow_null=True, help_text="The reward that an order is for.")
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    attempts = AttemptShape(many=True)
    created_at = serializers.DateTimeField()
