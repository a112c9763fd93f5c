"""`manage.py reconcile`: looks up unknown outcomes, holds totals, history and providers together; exit 1 on findings."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rewards.services.reconciling import reconcile


class Command(BaseCommand):
    help = "Looks up unknown outcomes, compares totals, history and providers, and prints what doesn't agree."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days", type=int, default=7, help="issued rewards of so many days are looked up at the providers (7)"
        )

    def handle(self, *args: Any, days: int, **options: Any) -> None:
        count = 0
        for finding in reconcile(days=days):
            self.stdout.write(str(finding))
            count += 1
        if count:
            self.stderr.write(f"{count} things don't agree.")
            sys.exit(1)
        self.stdout.write("Everything agrees.")
