"""Organization and test clock."""

from typing import Any

from rest_framework import serializers

from referral_rocket.accounts.models import Mode
from referral_rocket.api.fields import Moment, Strict, Text
from referral_rocket.kit import clock


class TimeZone(Text):
    default_error_messages = {"unknown_time_zone": "Use an IANA time zone such as Europe/Berlin."}

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in clock.time_zones():
            self.fail("unknown_time_zone")
        return name


class OrganizationShape(serializers.Serializer[object]):
    organization_id = serializers.UUIDField()
    name = serializers.CharField()
    time_zone = serializers.CharField()
    mode = serializers.ChoiceField(choices=Mode.values)
    now = serializers.DateTimeField(help_text="The time as the organization sees it: a test clock may be ahead.")


class OrganizationChange(Strict):
    name = Text(max_length=200, required=False)
    time_zone = TimeZone(max_length=64, required=False, help_text="IANA, such as Europe/Berlin.")


class TestClock(Strict):
    now = Moment(help_text="Not before what the clock shows.")
