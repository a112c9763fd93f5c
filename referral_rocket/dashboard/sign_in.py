"""How people get in: what allauth asks of us (settings: ACCOUNT_ADAPTER, ACCOUNT_SIGNUP_FORM_CLASS, MFA_ADAPTER)."""

import zoneinfo
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django import forms
from django.http import HttpRequest

from referral_rocket.accounts.models import User
from referral_rocket.accounts.services import organization_create
from referral_rocket.kit import encryption

# Where the token of an invitation waits while the invited person signs in or up.
INVITATION_KEY = "invitation"


class AccountAdapter(DefaultAccountAdapter):
    """allauth's own ways; its addresses come from the settings, where `home` sends everybody on."""


class MfaAdapter(DefaultMFAAdapter):
    """Keeps TOTP secrets and recovery seeds encrypted with ENCRYPTION_KEYS."""

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text)


class SignupForm(forms.Form):
    """What a new user is asked besides e-mail and password: the organization, unless an invitation names one."""

    organization = forms.CharField(
        label="Organization", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    # Filled in by the browser; it can be changed in the settings afterwards.
    time_zone = forms.CharField(
        required=False, max_length=64, widget=forms.HiddenInput(attrs={"data-time-zone": "", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if context.request is not None and INVITATION_KEY in context.request.session:
            del self.fields["organization"]

    def signup(self, request: HttpRequest, user: User) -> None:
        name = self.cleaned_data.get("organization")
        if name:
            organization_create(name=name, owner=user, time_zone=known_zone(self.cleaned_data.get("time_zone")))


def known_zone(name: str | None) -> str:
    """The time zone that a browser named, or UTC where it named none that is known here."""
    return name if name and name in zoneinfo.available_timezones() else "UTC"
