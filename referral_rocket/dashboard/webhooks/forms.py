"""What is typed in for an endpoint."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone

from integrations.models import EventType, StatusMode
from webhooks.outbound.errors import AddressNotAllowed, InvalidEndpoint

OVERLAPS = (("0", "At once"), ("24", "In 24 hours"), ("72", "In 3 days"), ("168", "In 7 days"))


class EndpointForm(forms.Form):
    url = forms.CharField(
        label="URL",
        max_length=2000,
        widget=forms.TextInput(
            attrs={"type": "url", "placeholder": "https://example.com/webhooks", "autocomplete": "off"}
        ),
    )
    description = forms.CharField(max_length=500, required=False, help_text="What receives it, for your colleagues.")
    event_types = forms.MultipleChoiceField(
        label="Events", choices=EventType.choices, initial=[EventType.REWARD], widget=forms.CheckboxSelectMultiple
    )
    status_mode = forms.ChoiceField(
        label="Orders are confirmed",
        choices=[
            (StatusMode.PENDING, "By the API: your system says what it issued"),
            (StatusMode.AVAILABLE, "By its answer: any 2xx means issued"),
        ],
        help_text="Applies to events from now on.",
    )

    def refuse(self, error: InvalidEndpoint | AddressNotAllowed) -> None:
        """Put what the service says at the fields that it is about."""
        if isinstance(error, AddressNotAllowed):
            self.add_error("url", error.message)
            return
        for name, _, message in error.errors:
            self.add_error(name if name in self.fields else None, message)


class RotationForm(forms.Form):
    overlap_hours = forms.ChoiceField(
        label="The old secret ends",
        choices=OVERLAPS,
        initial="24",
        help_text="Until then each request carries two signatures, and either verifies.",
    )

    def hours(self) -> int:
        return int(self.cleaned_data["overlap_hours"])


class ReplayForm(forms.Form):
    """`since` is read in the organization's time zone."""

    since = forms.DateTimeField(
        label="Everything since",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    only_failed = forms.BooleanField(label="Only what failed", required=False, initial=True)

    def moment(self, zone: Any) -> datetime:
        given: datetime = self.cleaned_data["since"]
        return timezone.make_naive(given, timezone.get_current_timezone()).replace(tzinfo=zone)
