"""allauth's forms in the words of this product (settings: ACCOUNT_FORMS). What they do is allauth's own."""

from typing import Any

from allauth.account import forms as allauth_forms
from django import forms

WORDS = {
    "Email": "E-mail",
    "Current Password": "Current password",
    "New Password": "New password",
    "New Password (again)": "New password again",
}


class Worded(forms.Form):
    """Labels as on every other page, no placeholder that only says its label once more, ready to be typed in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.label = WORDS.get(str(field.label), field.label)
            field.widget.attrs.pop("placeholder", None)
        first = next((field for field in self.fields.values() if not field.widget.is_hidden), None)
        if first is not None:
            first.widget.attrs["autofocus"] = True


class LoginForm(Worded, allauth_forms.LoginForm):
    """E-mail and password."""


class SignupForm(Worded, allauth_forms.SignupForm):
    """E-mail, password, and what `sign_in.SignupForm` asks."""


class AddEmailForm(Worded, allauth_forms.AddEmailForm):
    """Another address of the same person."""


class ChangePasswordForm(Worded, allauth_forms.ChangePasswordForm):
    """The old password and the new one twice."""


class ResetPasswordForm(Worded, allauth_forms.ResetPasswordForm):
    """Where the link for a new password is sent."""


class ResetPasswordKeyForm(Worded, allauth_forms.ResetPasswordKeyForm):
    """The new password twice, behind that link."""


class ReauthenticateForm(Worded, allauth_forms.ReauthenticateForm):
    """The password once more before something that protects the account changes."""
