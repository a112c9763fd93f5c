"""What can be said about a participant by hand."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone

from campaigns.models import Campaign
from participants.models import Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.kit.money import InvalidAmount, digits, parse_money

PURCHASE = "purchase"


class AmountField(forms.CharField):
    """An amount in major units of `currency`, as people type it; cleaned to minor units, None where left empty."""

    def __init__(self, *, currency: str, **kwargs: Any) -> None:
        self.currency = currency
        places = digits(currency)
        example = f"12.{'5'.ljust(places, '0')}" if places else "12"
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": example})
        super().__init__(widget=widget, max_length=30, **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_money(text, self.currency)
        except InvalidAmount as error:
            raise forms.ValidationError(str(error), code="invalid") from error


class EventForm(forms.Form):
    """Mark qualifying event complete. The date is read in the organization's time zone; empty means now."""

    transaction_id = forms.CharField(
        label="Transaction id",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The order or payment number. It keeps the same purchase from counting twice.",
    )
    occurred_at = forms.DateTimeField(
        label="When",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Left empty: just now.",
    )

    def __init__(self, data: Any = None, *, campaign: Campaign, organization: Organization) -> None:
        super().__init__(data, prefix="event")
        self.campaign = campaign
        self.zone = organization.zone
        self.fields["amount"] = AmountField(
            currency=campaign.currency,
            label=f"Amount ({campaign.currency})",
            required=campaign.qualifying_event == PURCHASE,
            help_text="What was paid, with tax and shipping." if campaign.qualifying_event == PURCHASE else "",
        )
        self.fields["transaction_id"].required = campaign.qualifying_event == PURCHASE
        self.order_fields(["amount", "transaction_id", "occurred_at"])

    def clean_occurred_at(self) -> datetime | None:
        given: datetime | None = self.cleaned_data["occurred_at"]
        return given and timezone.make_aware(timezone.make_naive(given, timezone.get_current_timezone()), self.zone)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("amount") is not None and not cleaned.get("transaction_id"):
            self.add_error("transaction_id", "An event with an amount needs its order or payment number.")
        return cleaned


class RewardForm(forms.Form):
    """A one-time reward: goodwill, an adjustment."""

    reason = forms.CharField(max_length=500, help_text="Shown with the reward, and to whoever looks at it later.")

    def __init__(self, data: Any = None, *, campaign: Campaign) -> None:
        super().__init__(data, prefix="reward")
        self.fields["amount"] = AmountField(currency=campaign.currency, label=f"Amount ({campaign.currency})")
        self.order_fields(["amount", "reason"])


class ReferrerForm(forms.Form):
    referral_code = forms.CharField(
        label="Referral code of the referrer", max_length=32, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="referrer")


class BanForm(forms.Form):
    reason = forms.CharField(max_length=500, help_text="For your team. What is earned already stays.")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="ban")


def forms_of(participant: Participant, organization: Organization) -> dict[str, forms.Form]:
    """The forms of a participant's page, empty, by the names under which the template knows them."""
    return {
        "event_form": EventForm(campaign=participant.campaign, organization=organization),
        "reward_form": RewardForm(campaign=participant.campaign),
        "referrer_form": ReferrerForm(),
        "ban_form": BanForm(),
    }
