"""What is typed in to connect a provider. Secrets go in and are shown nowhere again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms

from integrations.description import Provider
from integrations.errors import InvalidCredentials

_PREFIX = "credentials."
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
                max_length=2000,
                widget=_secret_input() if described.secret else forms.TextInput(attrs={"autocomplete": "off"}),
            )

    def credentials(self) -> Mapping[str, str]:
        return {field.name: self.cleaned_data[field.name] for field in self.provider.credential_fields}

    def refuse(self, error: InvalidCredentials) -> None:
        """Put what the service says at the fields that it is about."""
        for name, _, message in error.errors:
            field = name.removeprefix(_PREFIX)
            self.add_error(field if field in self.fields else None, message)


class ConnectForm(CredentialsForm):
    def __init__(self, data: Any = None, *, provider: Provider) -> None:
        super().__init__(data, provider=provider)
        if provider.signing_label is not None:
            self.fields[_SECRET_FIELD] = forms.CharField(
                label=provider.signing_label,
                required=False,
                max_length=255,
                widget=_secret_input(),
                help_text="You can add it afterwards: the address for the webhooks is shown once the account is connected.",
            )


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
