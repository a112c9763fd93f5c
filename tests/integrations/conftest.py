import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.integrations.inbound_cases", "tests.integrations.checks")

from tests.integrations.stand_in import RunningSandbox, running  # noqa: E402 - after its assertions are to be rewritten


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def stripe_samples() -> dict[str, Any]:
    """Stripe's published sample objects, by name."""
    folder = Path(os.environ.get("CONTRACTS_DIR") or Path(__file__).parents[3] / "shared" / "contracts")
    path = folder / "stripe-fixtures3.json"
    if not path.exists():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{path} is missing; CI has to have the contracts")
        pytest.skip(f"{path} is not here; set CONTRACTS_DIR")
    return json.loads(path.read_text())["resources"]
