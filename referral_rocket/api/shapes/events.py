"""Events with their decisions."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from integrations.registry import PROVIDERS
from participants.models import Source
from referral_rocket.api.fields import (
    Amount,
    Country,
    Currency,
    Id,
    Metadata,
    Moment,
    Paging,
    Strict,
    Text,
    Whole,
)
from referral_rocket.api.shapes.people import EMAIL_LENGTH
from referral_rocket.api.shapes.rewards import RewardShape
from referral_rocket.kit.money import MAXIMUM_AMOUNT
from rewards.rules import DECISION_CODES

PURCHASE = "purchase"
_SOURCES = [*Source.values, *(slug.upper() for slug, provider in PROVIDERS.items() if provider.receives_payments)]


class Who(Strict):
    """Exactly one of them."""

    participant_id = Id(required=False)
    customer_id = Id(required=False)
    external_id = Text(max_length=200, required=False)
    email = Text(max_length=EMAIL_LENGTH, required=False)

    def validate(self, attrs: Mapping[str, Any]) -> Mapping[str, Any]:
        if len(attrs) != 1:
            raise ValidationError(
                "Name the participant by exactly one of participant_id, customer_id, external_id and email.",
                code="exactly_one",
            )
        return attrs


class Line(Strict):
    product = Text(max_length=200)
    quantity = Whole(min_value=1, max_value=1_000_000, required=False)
    amount = Amount(least=0, required=False, help_text="Of the line, not of each piece.")


class EventNew(Strict):
    """`amount`, `currency` and `transaction_id` are needed for a `purchase`, and for each other wherever one is given."""

    participant = Who()
    type = Text(max_length=60)
    transaction_id = Text(max_length=200, required=False, allow_null=True)
    amount = Amount(required=False, allow_null=True, help_text="What was paid, after discount, with tax and shipping.")
    currency = Currency(required=False, allow_null=True)
    occurred_at = Moment(required=False, help_text="Default now; at most five minutes ahead.")
    country = Country(required=False, allow_null=True)
    tax = Amount(least=0, required=False, help_text="Part of the amount. Default 0.")
    shipping = Amount(least=0, required=False, help_text="Part of the amount. Default 0.")
    discount = Amount(least=0, required=False, help_text="Not in the amount any more. Default 0.")
    metadata = Metadata(required=False)
    items: serializers.ListSerializer[Any] = serializers.ListSerializer(child=Line(), required=False, max_length=500)

    def validate(self, attrs: Mapping[str, Any]) -> Mapping[str, Any]:
        money = attrs["type"] == PURCHASE or attrs.get("amount") is not None
        wanted = ("amount", "currency", "transaction_id") if money else ()
        missing = [name for name in wanted if attrs.get(name) is None]
        if missing:
            why = "A purchase" if attrs["type"] == PURCHASE else "An event with an amount"
            raise ValidationError({name: [ErrorDetail(f"{why} needs this.", "required")] for name in missing})
        return attrs


class EventFilters(Paging):
    campaign_id = Id(required=False)
    participant_id = Id(required=False)
    transaction_id = Text(max_length=200, required=False)


class DecisionShape(serializers.Serializer[object]):
    rule_id = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=["REWARDED", "NOT_REWARDED"])
    code = serializers.ChoiceField(choices=DECISION_CODES)
    message = serializers.CharField()
    reward_id = serializers.UUIDField(allow_null=True)


class LineShape(serializers.Serializer[object]):
    product = serializers.CharField()
    quantity = serializers.IntegerField(required=False)
    amount = serializers.IntegerField(required=False, max_value=MAXIMUM_AMOUNT)


def _amount(*, allow_null: bool = False) -> serializers.IntegerField:
    return serializers.IntegerField(max_value=MAXIMUM_AMOUNT, allow_null=allow_null)


class EventShape(serializers.Serializer[object]):
    event_id = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=["QUALIFIED", "NOT_QUALIFIED", "DUPLICATE"])
    transaction_id = serializers.CharField(allow_null=True)
    differs = serializers.BooleanField(help_text="A repeat said another amount or currency; the first stands.")
    net_amount = _amount(allow_null=True)
    decisions = DecisionShape(many=True)
    rewards = RewardShape(many=True)
    campaign_id = serializers.UUIDField()
    participant_id = serializers.UUIDField()
    source = serializers.ChoiceField(choices=_SOURCES)  # type: ignore[assignment]
    type = serializers.CharField()
    amount = _amount(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    country = serializers.CharField(allow_null=True)
    tax = _amount()
    shipping = _amount()
    discount = _amount()
    metadata = Metadata()
    items = LineShape(many=True)
    created_at = serializers.DateTimeField()
    undone_at = serializers.DateTimeField(allow_null=True)
