#!/usr/bin/env python
"""Runs one of the product's commands, e.g. `manage.py release_rewards`.

Beside a running `make demo`, a command finds the demo's services by itself: where DATABASE_URL is not set, the
settings that the demo wrote to .local/demo.env are used.
"""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

DEMO_ENVIRONMENT = Path(__file__).resolve().parent / ".local" / "demo.env"


def load_demo_environment() -> None:
    if os.environ.get("DATABASE_URL") or not DEMO_ENVIRONMENT.exists():
        return
    for line in DEMO_ENVIRONMENT.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())


def main() -> None:
    load_demo_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
