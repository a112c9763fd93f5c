"""What every benchmark begins with: Django, a migrated database that is thrown away, and a way to print ratios.

A benchmark prints ratios against a baseline that it measures in the same run, since the machine's own speed drifts.
"""

import os
import time
from collections.abc import Callable

import django
from django.core.management import call_command


def prepare() -> None:
    """Run under `python -m embedded.throwaway`, which starts the services and names them in the environment."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")
    django.setup()
    call_command("migrate", verbosity=0)


def rate(work: Callable[[], int], *, seconds: float = 5.0) -> float:
    """Units of work a second: `work` is repeated for at least so long and answers how many units it did."""
    work()
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        done += work()
    return done / (time.perf_counter() - begun)


def show(name: str, figure: float, baseline: float, baseline_name: str) -> None:
    print(f"{name}: {figure / baseline:.2f} of {baseline_name} ({figure:,.0f}/s against {baseline:,.0f}/s)")
