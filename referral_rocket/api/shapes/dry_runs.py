"""What rules would have given, beside what was given."""

from typing import Any

from rest_framework import serializers

from referral_rocket.api.fields import Moment, Strict
from referral_rocket.api.shapes.campaigns import MOST_ROWS, Rule, RuleShape
from rewards.dry_run import MOST_EVENTS, MOST_LISTED


class DryRunNew(Strict):
    """Rules as PATCH of the campaign takes them, and from which occurrence on events are looked at."""

    since = Moment(help_text=f"Events that occurred since then, at most {MOST_EVENTS:,}.")
    rules: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=Rule(),
        required=False,
        allow_empty=False,
        max_length=MOST_ROWS,
        help_text="Default: those in force. With `rule_id`: a new version of that rule.",
    )


class DryRunRule(RuleShape):
    rule_id = serializers.UUIDField(allow_null=True, help_text="null for a rule that isn't stored.")


class CountAndSum(serializers.Serializer[object]):
    count = serializers.IntegerField()
    amount = serializers.IntegerField(help_text="Before refunds, in minor units.")


class Compared(serializers.Serializer[object]):
    given = CountAndSum(help_text="What was given.")
    would = CountAndSum(help_text="What these rules would have given.")
    difference = serializers.IntegerField(help_text="`would` less `given`, in minor units.")


class CurrencyCompared(Compared):
    currency = serializers.CharField()


class RuleCompared(Compared):
    rule_id = serializers.UUIDField(allow_null=True, help_text="null for a rule that isn't stored.")
    rule = DryRunRule(
        allow_null=True, help_text="null for a rule that gave something and isn't among those asked about."
    )
    in_words = serializers.CharField(allow_null=True)


class ParticipantCompared(Compared):
    participant_id = serializers.UUIDField()


class EventCompared(Compared):
    event_id = serializers.UUIDField()
    participant_id = serializers.UUIDField()
    transaction_id = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField()


class CodeCount(serializers.Serializer[object]):
    code = serializers.CharField()
    count = serializers.IntegerField()


class CampaignDryRunShape(serializers.Serializer[object]):
    since = serializers.DateTimeField()
    events = serializers.IntegerField(help_text="How many were looked at.")
    totals = CurrencyCompared(many=True)
    rules = RuleCompared(many=True)
    participants = ParticipantCompared(many=True, help_text=f"Those that differ most, at most {MOST_LISTED}.")
    participants_differing = serializers.IntegerField()
    events_differing_most = EventCompared(many=True, help_text=f"At most {MOST_LISTED}.")
    events_differing = serializers.IntegerField()
    decisions = CodeCount(many=True, help_text="Why the rules would have said yes or no.")
