"""Reward batches: what is asked for, how it goes, and what it would do."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from referral_rocket.api.fields import Flag, Id, Strict, Text
from referral_rocket.api.shapes.campaigns import method_field
from rewards.services.selecting import MAXIMUM_REWARDS
from rewards.states import ItemOutcome

STATUSES = ("AWAITING_APPROVAL", "QUEUED", "RUNNING", "FINISHED", "CANCELED")


class BatchNew(Strict):
    """Either `reward_ids`, or `campaign_id` with `all_due: true`."""

    method = method_field()
    reward_ids = serializers.ListField(child=Id(), required=False, allow_empty=False, max_length=MAXIMUM_REWARDS)
    campaign_id = Id(required=False)
    all_due = Flag(required=False, help_text="Everything that is due in the campaign at this moment.")
    connection_id = Id(required=False, allow_null=True, help_text="Default: the provider's only active connection.")
    note = Text(max_length=500, min_length=None, required=False, allow_blank=True)
    reference = Text(max_length=200, min_length=None, required=False, allow_blank=True)
    dry_run = Flag(required=False, help_text="Answers what would be done (200) and stores nothing.")

    def validate(self, attrs: Mapping[str, Any]) -> Mapping[str, Any]:
        if ("reward_ids" in attrs) == ("campaign_id" in attrs):
            raise ValidationError("Give either reward_ids, or campaign_id and all_due.", code="exactly_one")
        if ("campaign_id" in attrs) != attrs.get("all_due", False):
            message = "all_due has to be true beside a campaign_id, and goes with nothing else."
            raise ValidationError({"all_due": [ErrorDetail(message, "invalid")]})
        return attrs


class BatchCancel(Strict):
    not_paid = Flag(
        required=False, help_text="Needed once the batch's file was downloaded: nothing of it was paid, nor will be."
    )


class ResultsNew(Strict):
    content = Text(max_length=1_000_000, help_text="The provider's result file, as text.")


class ResultsShape(serializers.Serializer[object]):
    told = serializers.IntegerField(help_text="How many of the batch's rewards the file told of.")
    contradictions = serializers.ListField(
        child=serializers.CharField(), help_text="What isn't written, because it was settled differently before."
    )


class BatchCounts(serializers.Serializer[object]):
    total = serializers.IntegerField()
    queued = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    waiting = serializers.IntegerField()


class Preparing(serializers.Serializer[object]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class BatchShape(serializers.Serializer[object]):
    batch_id = serializers.UUIDField()
    method = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    counts = BatchCounts()
    preparing = Preparing(
        allow_null=True,
        help_text="Of a big batch, while its rewards are being claimed: `done` of `total`. Until then the others count"
        " as queued.",
    )
    campaign_id = serializers.UUIDField(allow_null=True, help_text="null where the rewards are of several campaigns.")
    connection_id = serializers.UUIDField(allow_null=True)
    note = serializers.CharField()
    reference = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ItemShape(serializers.Serializer[object]):
    reward_id = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=ItemOutcome.values)
    code = serializers.CharField(allow_null=True)
    message = serializers.CharField(allow_null=True)
    provider_reference = serializers.CharField(allow_null=True)
    amount = serializers.IntegerField()
    currency = serializers.CharField()


class Total(serializers.Serializer[object]):
    currency = serializers.CharField()
    amount = serializers.IntegerField()
    netted = serializers.IntegerField()


class ProblemCount(serializers.Serializer[object]):
    code = serializers.CharField()
    count = serializers.IntegerField()


class DryRunShape(serializers.Serializer[object]):
    """What a batch would do. Nothing is stored."""

    counts = BatchCounts()
    totals = Total(many=True)
    items = ItemShape(many=True, help_text="The first 200.")
    problems = ProblemCount(many=True)
