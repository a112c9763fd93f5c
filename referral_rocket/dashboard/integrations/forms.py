"""What is typed in to connect a provider. Secrets go in and are shown nowhere again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms

from integrations.description import Provider, SettingField
from integrations.errors import InvalidCredentials

_SECRET_FIELD = "webhook_secret"  # noqa: S105 - the field's name
OVERLAPS = (("0", "At once"), ("24", "In 24 hours"), ("72", "In 3 days"), ("168", "In 7 days"))


def _secret_input() -> forms.PasswordInput:
    # Not remembered by browsers as a password of the person who types it in.
    return forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})


class CredentialsForm(forms.Form):
    """A field for each of the provider's credentials, made from its description."""

    def __init__(self, data: Any = None, *, provider: Provider) -> None:
        super().__init__(data)
        self.provider = provider
        for described in provider.credential_fields:
            self.fields[described.name] = forms.CharField(
                label=described.label,
                help_text=described.help,
                required=described.required,
                max_length=2000,
                widget=_secret_input() if described.secret else forms.TextInput(attrs={"autocomplete": "off"}),
            )

    def credentials(self) -> Mapping[str, str]:
        return {field.name: self.cleaned_data[field.name] for field in self.provider.credential_fields}

    def refuse(self, error: InvalidCredentials) -> None:
        """Put what the service says at the fields that it is about."""
        _refuse(self, error)


def _refuse(form: forms.Form, error: InvalidCredentials) -> None:
    for name, _, message in error.errors:
        field = name.partition(".")[2] or name
        form.add_error(field if field in form.fields else None, message)


def _add_settings(form: forms.Form, provider: Provider, now: Mapping[str, Any]) -> None:
    for described in provider.setting_fields:
        value = now.get(described.name, "")
        form.fields[described.name] = forms.CharField(
            label=described.label,
            help_text=described.help,
            required=described.required,
            initial=", ".join(value) if isinstance(value, list) else value,
            max_length=2000,
            widget=_setting_input(described),
        )


def _setting_input(described: SettingField) -> forms.Widget:
    if not described.choices:
        return forms.TextInput(attrs={"autocomplete": "off"})
    return forms.Select(choices=described.choices if described.required else [("", "Not set"), *described.choices])


def _settings(form: forms.Form, provider: Provider) -> dict[str, Any]:
    typed = {field: form.cleaned_data.get(field.name, "").strip() for field in provider.setting_fields}
    return {
        field.name: [one.strip() for one in text.split(",") if one.strip()] if field.many else text
        for field, text in typed.items()
        if text
    }


class SettingsForm(forms.Form):
    """A field for each of the provider's settings."""

    def __init__(self, data: Any = None, *, provider: Provider, now: Mapping[str, Any]) -> None:
        super().__init__(data, prefix="settings")
        self.provider = provider
        _add_settings(self, provider, now)

    def settings(self) -> dict[str, Any]:
        return _settings(self, self.provider)

    def refuse(self, error: InvalidCredentials) -> None:
        _refuse(self, error)


class ConnectForm(CredentialsForm):
    def __init__(self, data: Any = None, *, provider: Provider) -> None:
        super().__init__(data, provider=provider)
        _add_settings(self, provider, {})
        if provider.signing_label is not None and provider.signing_credential is None:
            self.fields[_SECRET_FIELD] = forms.CharField(
                label=provider.signing_label,
                required=False,
                max_length=255,
                widget=_secret_input(),
                help_text="You can add it afterwards: the address for the webhooks is shown once the account is connected.",
            )

    def settings(self) -> dict[str, Any]:
        return _settings(self, self.provider)


class SecretForm(forms.Form):
    """A new webhook secret, and how long the old one goes on being accepted."""

    webhook_secret = forms.CharField(max_length=255, widget=_secret_input())
    overlap = forms.ChoiceField(
        label="The old secret ends",
        choices=OVERLAPS,
        initial="24",
        help_text="Retries of events sent before the change are signed with the old one.",
    )

    def __init__(self, data: Any = None, *, provider: Provider) -> None:
        super().__init__(data, prefix="secret")
        self.fields["webhook_secret"].label = provider.signing_label or "Signing secret"
        self.fields["webhook_secret"].help_text = provider.signing_help

    def overlap_span(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["overlap"]))

    def refuse(self, error: InvalidCredentials) -> None:
        for _, _, message in error.errors:
            self.add_error("webhook_secret", message)
