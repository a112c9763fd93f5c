"""How people get in: what allauth asks of us (settings: ACCOUNT_ADAPTER, ACCOUNT_SIGNUP_FORM_CLASS, MFA_ADAPTER)."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django import forms
from django.http import HttpRequest

from referral_rocket.accounts.models import User
from referral_rocket.accounts.services import organization_create
from referral_rocket.kit import clock, encryption

# Where the token of an invitation waits while the invited person signs in or up.
INVITATION_KEY = "invitation"


class AccountAdapter(DefaultAccountAdapter):
    """allauth's own ways; its addresses come from the settings, where `home` sends everybody on."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "No account has this e-mail address with this password. Check both, or ask for a new "
        "password.",
        "duplicate_email": "This address is yours already.",
        "email_taken": "This e-mail address has an account already. Sign in with it.",
        "cannot_remove_primary_email": "The primary address stays. Make another one primary first.",
        "unverified_primary_email": "Only a confirmed address can be the primary one. Have the link sent again.",
        "incorrect_password": "That isn't your password.",
        "too_many_login_attempts": "Too many attempts. Wait some minutes, or ask for a new password.",
    }


class MfaAdapter(DefaultMFAAdapter):
    """Keeps TOTP secrets and recovery seeds encrypted with ENCRYPTION_KEYS."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "unverified_email": "Confirm your e-mail address first. Under “E-mail addresses” the link can be sent again.",
        "add_email_blocked": "Two-factor sign-in is on. Turn it off to add an address.",
        "incorrect_code": "This code is wrong or has run out. Take the one that the app shows now.",
    }

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
    return name if name and name in clock.time_zones() else "UTC"
