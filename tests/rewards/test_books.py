"""The books: whatever happens in whatever order, every amount is where the rules say it is.

BOOKS_EXAMPLES says how many random sequences are driven (120); `make books` drives 20,000. Each begins from a program
that stands already, and is rolled back to there. What is checked after a step is read in six plain queries: the checks
would otherwise take longer than the steps.
"""

import os
import sys
from itertools import count
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from rewards.models import Reward
from tests.rewards.ledger import Books
from tests.rewards.programs import PROGRAMS, Program, steps

# Each sequence is a transaction of its own that is rolled back: in one around all of them nothing could be cleared away.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(0)]

TELL = 500
EXAMPLES = int(os.environ.get("BOOKS_EXAMPLES", "120"))


def test_it_works(organization: Organization) -> None:
    programs = [Program(organization, **terms) for terms in PROGRAMS]
    driven = count(1)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(which=st.integers(0, len(programs) - 1), sequence=st.lists(steps, min_size=3, max_size=14))
    def hold(which: int, sequence: list[tuple[Any, ...]]) -> None:
        program = programs[which]
        with transaction.atomic():
            program.begin()
            for name, *arguments in sequence:
                program.take(name, *arguments)
                Books(program).check()
            transaction.set_rollback(True)
        number = next(driven)
        if number % TELL == 0:
            sys.stdout.write(f"{number:,} sequences\n")
            sys.stdout.flush()

    hold()


@pytest.mark.parametrize("end", [("cancel", 0), ("confirm", 0, 1)], ids=["canceled", "confirmed in part"])
@pytest.mark.parametrize("terms", PROGRAMS, ids=lambda terms: "-".join(map(str, terms.values())))
def test_a_refund_waits_no_longer_than_for_what_a_person_says(
    organization: Organization, terms: dict[str, Any], end: tuple[Any, ...]
) -> None:
    """Found by a random sequence: it stood for good on a reward that was canceled, and was settled by every sweep."""
    program = Program(organization, **terms)
    due = [("pay", 0, 1), ("review", 0, True), ("days", 31), ("days", 31)]
    for name, *arguments in [*due, ("order", 0), ("refund", 0, None)]:
        program.take(name, *arguments)
    with tenant(organization):
        assert Reward.objects.filter(pending_reduction=1200, status__in=["PENDING", "AGGREGATED"]).exists()

    program.take(*end)

    Books(program).check()
    with tenant(organization):
        assert not Reward.objects.exclude(pending_reduction=0).exists()
        taken_back = Reward.objects.exclude(deducts=None).values_list("amount", flat=True)
        assert list(taken_back) == ([] if end[0] == "cancel" else [1])
