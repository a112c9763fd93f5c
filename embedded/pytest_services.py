"""A pytest plugin: services for a run of `pytest` that was not started by `make test`.

It is loaded by `-p` in pyproject.toml, because Django's settings are read before any conftest.py.
"""

import os
from collections.abc import Generator
from contextlib import ExitStack
from urllib.parse import urlsplit, urlunsplit

import pytest

from embedded.seeds import services_for_tests
from embedded.throwaway import test_environment

_stack = ExitStack()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        _take_own_redis_database(worker)
    else:
        for name, value in test_environment().items():
            os.environ.setdefault(name, value)
        os.environ.update(_stack.enter_context(services_for_tests()))
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    _stack.close()


def _take_own_redis_database(worker: str) -> None:
    # Processes of one run share the server, and must not see one another's counters and caches.
    number = int(worker.removeprefix("gw")) + 1
    address = urlsplit(os.environ["REDIS_URL"])
    os.environ["REDIS_URL"] = urlunsplit(address._replace(path=f"/{number}"))
