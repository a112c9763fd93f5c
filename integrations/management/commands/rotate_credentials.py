"""`manage.py rotate_credentials`: encrypt every stored secret anew under the first key of ENCRYPTION_KEYS."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import models

from referral_rocket.accounts.scoping import every_organization
from referral_rocket.kit.encryption import EncryptedJSONField, EncryptedTextField

ROWS_AT_ONCE = 200


class Command(BaseCommand):
    help = "Encrypt every stored secret anew under the first key of ENCRYPTION_KEYS. Afterwards the old keys can go."

    def handle(self, *args: Any, **options: Any) -> None:
        for model in apps.get_models():
            fields = [
                field.name
                for field in model._meta.concrete_fields
                if isinstance(field, EncryptedTextField | EncryptedJSONField)
            ]
            if fields:
                self.stdout.write(f"{model._meta.label}: {_rotate(model, fields)} rows")


def _rotate(model: type[models.Model], fields: list[str]) -> int:
    """Reads and writes each row under its lock, a few hundred a transaction, in key order."""
    count, last = 0, None
    while True:
        with every_organization("encrypting stored secrets anew"):
            rows = model._default_manager.select_for_update().order_by("pk")
            batch = list((rows.filter(pk__gt=last) if last else rows)[:ROWS_AT_ONCE])
            model._default_manager.bulk_update(batch, fields)
        if not batch:
            return count
        count, last = count + len(batch), batch[-1].pk
