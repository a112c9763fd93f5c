"""Participants and customers."""

from rest_framework import serializers

from integrations import registry
from referral_rocket.api.fields import Choice, Id, Paging, Strict, Text, Texts
from rewards.states import RewardStatus

# Those of api.md, and what else is built.
PROVIDERS = tuple(
    dict.fromkeys(("stripe", "shopify", "razorpay", "cashfree", "tremendous", "paypal", "wise", *registry.PROVIDERS))
)
LONGEST_PROVIDER_ID = 200
EMAIL_LENGTH = 320


class ParticipantNew(Strict):
    email = Text(max_length=EMAIL_LENGTH)
    name = Text(max_length=200, min_length=None, required=False, allow_blank=True)
    external_id = Text(max_length=200, required=False, allow_null=True)
    referral_code = Text(max_length=32, required=False, allow_null=True, help_text="The referrer's.")
    provider_ids = Texts(names=PROVIDERS, required=False, help_text="Ids at payment providers, by provider.")


class ParticipantChange(Strict):
    """What isn't given stays."""

    name = Text(max_length=200, min_length=None, required=False, allow_blank=True)
    external_id = Text(max_length=200, required=False)
    referral_code = Text(
        max_length=32,
        required=False,
        help_text="The referrer's: set once, while there is none and no event of the participant has counted.",
    )
    provider_ids = Texts(names=PROVIDERS, required=False)


class ParticipantFilters(Paging):
    email = Text(max_length=EMAIL_LENGTH, required=False)
    referral_code = Text(max_length=32, required=False)
    external_id = Text(max_length=200, required=False)
    customer_id = Id(required=False)


class CustomerRewardFilters(Paging):
    status = Choice(RewardStatus.values, required=False)


class ReferredBy(serializers.Serializer[object]):
    participant_id = serializers.UUIDField()
    referral_code = serializers.CharField()


class ParticipantShape(serializers.Serializer[object]):
    participant_id = serializers.UUIDField()
    customer_id = serializers.UUIDField()
    campaign_id = serializers.UUIDField()
    email = serializers.CharField(allow_null=True, help_text="null once the person was erased.")
    name = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    referral_code = serializers.CharField(help_text="The participant's own, to be shared.")
    share_url = serializers.CharField()
    referred_by = ReferredBy(allow_null=True)
    joined_at = serializers.DateTimeField()


class CustomerShape(serializers.Serializer[object]):
    customer_id = serializers.UUIDField()
    email = serializers.CharField(allow_null=True, help_text="null once the person was erased.")
    name = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    provider_ids = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    erased_at = serializers.DateTimeField(allow_null=True)


class Balance(serializers.Serializer[object]):
    currency = serializers.CharField()
    earned = serializers.IntegerField(help_text="Not due yet.")
    due = serializers.IntegerField()
    issued = serializers.IntegerField()
    deducted = serializers.IntegerField()
    to_deduct = serializers.IntegerField()


class BalanceShape(serializers.Serializer[object]):
    customer_id = serializers.UUIDField()
    balances = Balance(many=True, help_text="One for each currency, by its code.")
