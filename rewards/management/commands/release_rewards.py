"""`manage.py release_rewards`: what the scheduler does for live data, now or as of a time."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rewards.services.releasing import release_everywhere


class Command(BaseCommand):
    help = "Ends holding periods. Safe to run at any time, twice, and beside the scheduler."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at", help="RFC 3339 time that stands for now in live organizations")

    def handle(self, *args: Any, at: str | None, **options: Any) -> None:
        released = release_everywhere(at=_moment(at) if at else None)
        self.stdout.write(f"{released} rewards became due.")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError("--at takes a time such as 2026-11-21T09:00:00Z.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
