"""Connections to providers. Credentials go in and never come out."""

from collections.abc import Sequence

from rest_framework import serializers

from integrations.description import CredentialField, SettingField
from integrations.models import ConnectionStatus
from integrations.registry import PROVIDERS
from referral_rocket.api.fields import Choice, Metadata, Strict, Text, Texts
from referral_rocket.api.shapes import people

LONGEST_SECRET = 2000


def what_each_takes() -> str:
    """Each provider's credentials and settings, for the API's document."""
    return "; ".join(
        f"`{slug}` {_named(provider.credential_fields)}"
        + (f", settings {_named(provider.setting_fields)}" if provider.setting_fields else "")
        for slug, provider in PROVIDERS.items()
    )


def who_needs_a_webhook_secret() -> str:
    names = [each.name for each in PROVIDERS.values() if each.signing_label and each.signing_credential is None]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _named(fields: Sequence[CredentialField | SettingField]) -> str:
    names = [field.name if field.required else f"{field.name}?" for field in fields]
    return f"`{{{', '.join(names)}}}`"


class ConnectionChange(Strict):
    """What is given replaces what there was. A replaced webhook secret stays good for 24 hours."""

    credentials = Texts(required=False, help_text="By provider: see the document of POST /connections.")
    webhook_secret = Text(max_length=LONGEST_SECRET, required=False)
    settings = Metadata(required=False)


class ConnectionNew(Strict):
    provider = Choice(tuple(PROVIDERS), later=[name for name in people.PROVIDERS if name not in PROVIDERS])
    credentials = Texts()
    webhook_secret = Text(max_length=LONGEST_SECRET, required=False, allow_null=True)
    settings = Metadata(required=False)


class ConnectionShape(serializers.Serializer[object]):
    connection_id = serializers.UUIDField()
    provider = serializers.CharField()
    status = serializers.ChoiceField(choices=ConnectionStatus.values)
    settings = Metadata()
    webhook_url = serializers.CharField()
    last_event_at = serializers.DateTimeField(allow_null=True)
    account = serializers.CharField(allow_null=True, help_text="What the provider calls the account, once asked.")
    attention_reason = serializers.CharField(allow_null=True)
    check_pending = serializers.BooleanField(help_text="The provider is being asked whether the credentials work.")
    check_message = serializers.CharField(allow_null=True)
    checked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
