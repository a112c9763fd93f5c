"""The books, when everything of a sequence happens at the same moment: real threads, real PostgreSQL.

What is refused, since another was first, must have left nothing. One of a hundred of BOOKS_EXAMPLES, at least 6.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from referral_rocket.accounts.models import Organization
from rewards.errors import RewardsError
from tests.concurrency import at_once
from tests.rewards.ledger import Books
from tests.rewards.programs import PROGRAMS, Program, steps

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(0)]

EXAMPLES = max(int(os.environ.get("BOOKS_EXAMPLES", "0")) // 100, 6)
# What there is to refund, to confirm and to total.
BEFORE = (("pay", 0, 12000), ("pay", 1, 33333), ("pay", 2, 12000), ("days", 3), ("refund", 1, 500))


def test_it_works(organization: Organization) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        # Threads take turns as they like: nothing would be the same in a smaller example.
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(which=st.integers(0, len(PROGRAMS) - 1), sequence=st.lists(steps, min_size=5, max_size=8))
    def hold(which: int, sequence: list[tuple[Any, ...]]) -> None:
        program = Program(organization, **PROGRAMS[which])
        for name, *arguments in BEFORE:
            program.take(name, *arguments)
        program.alone = False
        at_once(
            len(sequence),
            lambda number: program.take(sequence[number][0], *sequence[number][1:]),
            expected=(RewardsError,),
        )
        program.take("days", 0)
        Books(program).check()

    hold()
