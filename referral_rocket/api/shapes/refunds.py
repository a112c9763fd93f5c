"""Refunds and disputes."""

from rest_framework import serializers

from participants.models import ReversalKind, ReversalStatus
from referral_rocket.api.fields import Amount, Choice, Strict, Text
from referral_rocket.api.shapes.rewards import RewardShape
from referral_rocket.kit.money import MAXIMUM_AMOUNT


class EventRefundNew(Strict):
    """A refund or dispute of an event's payment. The same `refund_id` with a new status updates it."""

    refund_id = Text(max_length=200)
    transaction_id = Text(max_length=200, required=False, help_text="Where given, it has to be the event's.")
    amount = Amount(required=False, help_text="Default: all of the payment.")
    kind = Choice(ReversalKind.values, required=False, help_text="Default REFUND.")
    status = Choice(ReversalStatus.values, required=False, help_text="Default DONE.")


class RefundNew(EventRefundNew):
    """A refund or dispute of a transaction, also one that isn't known yet."""

    transaction_id = Text(max_length=200)


class RefundShape(serializers.Serializer[object]):
    refund_id = serializers.CharField()
    event_id = serializers.UUIDField(allow_null=True, help_text="null while the payment is unknown.")
    net_amount = serializers.IntegerField(allow_null=True, max_value=MAXIMUM_AMOUNT)
    capped = serializers.BooleanField(help_text="More was reversed than was paid; it counted up to the payment.")
    rewards = RewardShape(many=True, help_text="Those that changed or came.")
