"""`manage.py load_sample_data`: an organization worth looking at, for the demo. Loading it again changes nothing."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from referral_rocket.dashboard.sample.loading import load


class Command(BaseCommand):
    help = "Loads the sample organization where it isn't there yet, and prints how to get in, as one line of JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=2026, help="the same seed makes the same people and purchases")
        parser.add_argument(
            "--keep",
            type=Path,
            default=settings.BASE_DIR / ".local" / "sample_data.json",
            help="the private file that remembers the password and the API keys",
        )

    def handle(self, *args: Any, seed: int, keep: Path, **options: Any) -> None:
        try:
            organization, keepsake = load(seed=seed, keepsake_path=keep)
        except requests.RequestException as error:
            raise CommandError(
                f"The data are loaded, but Stripe's stand-in doesn't answer ({type(error).__name__}). Start it and"
                " run this again."
            ) from error
        self.stdout.write(json.dumps({**asdict(keepsake), "organization_id": str(organization.pk)}))
