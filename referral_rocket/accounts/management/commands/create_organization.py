"""`manage.py create_organization`: an organization with its owner and a live and a test key, as JSON."""

import json
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from referral_rocket.accounts.models import Scope, User
from referral_rocket.accounts.services import api_key_create, organization_create


class Command(BaseCommand):
    help = "Creates an organization, its owner (or adds to a known user), and prints its API keys as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--email", required=True)
        parser.add_argument("--password", required=True)
        parser.add_argument("--time-zone", default="UTC")

    @transaction.atomic
    def handle(self, *args: Any, name: str, email: str, password: str, time_zone: str, **options: Any) -> None:
        try:
            validate_email(email)
            owner = User.objects.filter(email=email.strip().lower()).first()
            if owner is None:
                validate_password(password)
                owner = User.objects.create_user(email, password)
            organization = organization_create(name=name, owner=owner, time_zone=time_zone)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        keys = {
            answer: api_key_create(
                organization=mode, name="Created with the organization", scopes=Scope.values, user=owner
            )
            for answer, mode in (("api_key", organization), ("test_api_key", organization.test_organization))
        }
        self.stdout.write(
            json.dumps({"organization_id": str(organization.pk), **{name: key.token for name, key in keys.items()}})
        )
