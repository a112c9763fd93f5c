"""Rewards, their history, and what may be said about them."""

from rest_framework import serializers

from referral_rocket.api.fields import Amount, Choice, Flag, Id, Moment, Paging, Strict, Text
from referral_rocket.kit.money import MAXIMUM_AMOUNT
from rewards.states import RewardStatus

TYPES = ("REFERRAL", "TRANSACTIONAL", "OFFER", "ONE_TIME", "STATEMENT", "DELAYED")
WAITING_FOR = ("HOLDING", "REVIEW", "AGGREGATION", "CARRY", "RECIPIENT", "NO_ENDPOINT")
LONGEST_REASON = 500


class RewardFilters(Paging):
    status = Choice(RewardStatus.values, required=False)
    type = Choice(TYPES, required=False)
    waiting_for = Choice(WAITING_FOR, required=False)
    campaign_id = Id(required=False)
    customer_id = Id(required=False)
    participant_id = Id(required=False)
    event_id = Id(required=False)
    transaction_id = Text(max_length=200, required=False)
    created_after = Moment(required=False, help_text="Created at this time or later.")
    created_before = Moment(required=False, help_text="Created before this time.")


class RewardNew(Strict):
    participant_id = Id()
    amount = Amount()
    reason = Text(max_length=LONGEST_REASON)
    external_ref = Text(max_length=200, required=False, allow_null=True)


class RewardChange(Strict):
    status = Choice(
        RewardStatus.values,
        help_text="AVAILABLE: it was issued. DEDUCTED: it was taken back. CANCELED: neither will be.",
    )
    amount = Amount(
        required=False, help_text="What was really issued or taken back, up to what is owed. Default: all of it."
    )
    reason = Text(max_length=LONGEST_REASON, required=False, help_text="Needed with CANCELED.")
    forgive = Flag(required=False, help_text="With DEDUCTED: the rest isn't asked for any more.")


class Rejection(Strict):
    reason = Text(max_length=LONGEST_REASON)


def _amount(*, allow_null: bool = False) -> serializers.IntegerField:
    return serializers.IntegerField(max_value=MAXIMUM_AMOUNT, allow_null=allow_null)


class RewardFulfilment(serializers.Serializer[object]):
    kind = serializers.ChoiceField(choices=["METHOD", "WEBHOOK"])
    method = serializers.CharField(allow_null=True)
    endpoint_id = serializers.UUIDField(allow_null=True)


class RewardShape(serializers.Serializer[object]):
    reward_id = serializers.UUIDField()
    customer_id = serializers.UUIDField()
    participant_id = serializers.UUIDField()
    campaign_id = serializers.UUIDField()
    rule_id = serializers.UUIDField(allow_null=True)
    event_id = serializers.UUIDField(allow_null=True)
    transaction_id = serializers.CharField(allow_null=True)
    type = serializers.ChoiceField(choices=TYPES)
    status = serializers.ChoiceField(choices=RewardStatus.values)
    amount = _amount()
    earned_amount = _amount()
    currency = serializers.CharField()
    remainder_amount = _amount()
    refunded_amount = _amount()
    pending_reduction = _amount()
    netted_amount = _amount()
    deducts = serializers.UUIDField(allow_null=True)
    restores = serializers.UUIDField(allow_null=True)
    carried_from = serializers.UUIDField(allow_null=True)
    aggregate_id = serializers.UUIDField(allow_null=True)
    fulfilment = RewardFulfilment()
    method = serializers.CharField(allow_null=True, help_text="By which it was issued.")
    provider_reference = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    settled_by = serializers.UUIDField(allow_null=True)
    deducts_part = serializers.UUIDField(allow_null=True)
    uncut_amount = _amount(allow_null=True)
    waiting_for = serializers.ChoiceField(choices=WAITING_FOR, allow_null=True)
    external_ref = serializers.CharField(allow_null=True)
    earned_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    issued_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TransitionShape(serializers.Serializer[object]):
    at = serializers.DateTimeField()
    actor = serializers.CharField(help_text="user:<id>, api_key:<id> or system:<what>.")
    reason = serializers.CharField()
    amount_before = _amount()
    amount_after = _amount()

    def get_fields(self) -> dict[str, serializers.Field]:
        # `from` is no name that Python lets an attribute have.
        named = {
            "from": serializers.ChoiceField(choices=RewardStatus.values, allow_null=True),
            "to": serializers.ChoiceField(choices=RewardStatus.values),
        }
        return {**named, **super().get_fields()}
