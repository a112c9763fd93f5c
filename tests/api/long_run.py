"""Schemathesis over the whole document against a served API: `make schemathesis SECONDS=600`.

All phases (examples, the limits of every field, random bodies, calls in sequence) and all checks; exit 1 if anything is
found. Suppressed is only what the document says in words and JSON Schema can't, as in test_document.py.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django
import requests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from embedded.ports import free_port  # noqa: E402

CAMPAIGN = {
    "name": "Friends",
    "currency": "USD",
    "status": "ACTIVE",
    "review_above": 1000,
    "rules": [{"type": "REFERRAL", "beneficiary": "REFERRER", "rate": "0.1", "once_per": "EVENT"}],
}
# The same exceptions as in test_document.py, where they are explained.
ACCEPTED = '["2xx", "400", "403", "404", "409", "422"]'
REFUSED = '["400", "401", "403", "404", "405", "406", "413", "415", "422"]'
HOOKS = "tests.api.long_run_hooks"


def main() -> int:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "600"
    call_command("migrate", verbosity=0)
    key = made_key()
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
            *(
                "--workers",
                "1",
                "--blocking-threads",
                "4",
                "--log-level",
                "warning",
                "referral_rocket.wsgi:application",
            ),
        ],
        env={**os.environ, "API_RATE_LIMIT": "100000"},
    )
    try:
        base = f"http://127.0.0.1:{port}/api/v1"
        wait(base)
        return examine(base, key, seconds, made_objects(base, key))
    finally:
        server.terminate()
        server.wait()


def made_key() -> str:
    with tempfile.TemporaryFile("w+") as said:
        call_command(
            "create_organization",
            name="Long run",
            email="long@example.com",
            password="correct horse battery",
            stdout=said,
        )
        said.seek(0)
        return str(json.load(said)["api_key"])


def wait(base: str) -> None:
    for _ in range(100):
        try:
            if requests.get(f"{base}/schema", timeout=30).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise SystemExit("the API didn't start")


def made_objects(base: str, key: str) -> dict[str, str]:
    """Something of each kind, so that not every id in a path is unknown."""

    def post(path: str, body: object) -> dict[str, str]:
        answer = requests.post(f"{base}/{path}", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        answer.raise_for_status()
        found: dict[str, str] = answer.json()
        return found

    campaign = post("campaigns", CAMPAIGN)["campaign_id"]
    ann = post(f"campaigns/{campaign}/participants", {"email": "ann@example.com"})
    ben = {"email": "ben@example.com", "referral_code": ann["referral_code"]}
    ben_id = post(f"campaigns/{campaign}/participants", ben)["participant_id"]
    bought = {"participant": {"participant_id": ben_id}, "type": "purchase", "currency": "USD"}
    post(f"campaigns/{campaign}/events", {**bought, "transaction_id": "o1", "amount": 9000})
    event = post(f"campaigns/{campaign}/events", {**bought, "transaction_id": "o2", "amount": 90000})
    # Only what nothing deletes: the run itself would, and then miss it.
    return {"campaign_id": campaign, "event_id": event["event_id"], "customer_id": ann["customer_id"]}


def examine(base: str, key: str, seconds: str, ids: dict[str, str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "schemathesis.toml")
        lines = [
            f'headers = {{ Authorization = "Bearer {key}" }}',
            f'hooks = "{HOOKS}"',
            "continue-on-failure = true",
            "[parameters]",
            *(f'"path.{name}" = "{value}"' for name, value in ids.items()),
            "[checks]",
            f"positive_data_acceptance.expected-statuses = {ACCEPTED}",
            f"negative_data_rejection.expected-statuses = {REFUSED}",
        ]
        config.write_text("\n".join(lines))
        return subprocess.call(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("--config-file", str(config), "run", f"{base}/schema", "--url", base.removesuffix("/api/v1")),
                *("--checks", "all", "--max-time", seconds, "--max-examples", "10000", "--no-color"),
            ]
        )


if __name__ == "__main__":
    raise SystemExit(main())
