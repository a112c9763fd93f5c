"""A stand-in in this process, on a free port, with what tests ask of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection
from urllib3.util import wait_for_read

from integrations.providers.paypal import client as paypal
from integrations.sandbox.faults import Faults
from integrations.sandbox.providers import STAND_INS
from integrations.sandbox.server import Sandbox
from integrations.sandbox.store import Store
from referral_rocket.kit.http import Caller


@dataclass
class RunningSandbox:
    url: str
    # Of a stand-in in this process.
    faults: Faults | None = None

    def post(self, path: str, /, **wanted: Any) -> Any:
        answer = requests.post(f"{self.url}/_control/{path}", json=wanted, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str, /, **arguments: Any) -> Any:
        answer = requests.get(f"{self.url}/_control/{path}", params=arguments, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def call(self, method: str, path: str, body: str, headers: dict[str, str]) -> requests.Response:
        """Ask a provider's stand-in as a client would, with a form for a body."""
        form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return requests.request(method, f"{self.url}{path}", data=body, headers=form, timeout=30)

    def fault(self, kind: str, /, **wanted: Any) -> None:
        self.post("faults", kind=kind, **wanted)

    def clear_faults(self) -> None:
        requests.delete(f"{self.url}/_control/faults", timeout=30).raise_for_status()

    def add_customer(self, email: str, **fields: Any) -> str:
        livemode = fields.pop("livemode", False)
        added = self.post("stripe/customers", customers=[{"email": email, **fields}], livemode=livemode)
        return added["customers"][0]["id"]

    def credits(self, **arguments: Any) -> Any:
        return self.get("stripe/credits", **arguments)

    def held_answers_time_out(self, patch: pytest.MonkeyPatch) -> None:
        """From now on a client takes an answer that the stand-in holds for one that timed out.

        A short time-out would do the same, and would strike every other answer too while the machine is busy.
        """
        faults = self.faults
        assert faults is not None

        class Connection(HTTPConnection):
            held_before = 0

            def request(self, *arguments: Any, **named: Any) -> None:
                self.held_before = faults.held
                super().request(*arguments, **named)

            def getresponse(self) -> Any:
                assert self.sock
                while not wait_for_read(self.sock, 0.02):
                    if faults.held > self.held_before:
                        raise TimeoutError("the stand-in holds the answer")
                return super().getresponse()

        class Pool(HTTPConnectionPool):
            ConnectionCls = Connection

        ways = PoolManager()
        ways.pool_classes_by_scheme = {"http": Pool}
        patch.setattr(Caller, "_way_to", lambda *_: ways)


@contextmanager
def running(state: str = ":memory:") -> Iterator[RunningSandbox]:
    # Tokens are kept by address, and a port may come a second time.
    paypal._tokens.clear()
    store = Store(state)
    server = Sandbox(0, store, STAND_INS)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield RunningSandbox(server.url, server.faults)
    finally:
        server.faults.clear()
        server.shutdown()
        thread.join()
        server.server_close()
        store.close()
