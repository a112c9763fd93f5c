"""A stand-in in this process, on a free port, with what tests ask of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from integrations.sandbox.providers import STAND_INS
from integrations.sandbox.server import Sandbox
from integrations.sandbox.store import Store


@dataclass
class RunningSandbox:
    url: str

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


@contextmanager
def running(state: str = ":memory:") -> Iterator[RunningSandbox]:
    store = Store(state)
    server = Sandbox(0, store, STAND_INS)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield RunningSandbox(server.url)
    finally:
        server.faults.clear()
        server.shutdown()
        thread.join()
        server.server_close()
        store.close()
