"""What the demo decides once and keeps: its secrets, its ports, and the environment that all its processes share."""

import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from embedded.places import LOCAL
from embedded.ports import LOOPBACK, free_port

KEPT = LOCAL / "demo.secrets.json"
ENVIRONMENT = LOCAL / "demo.env"
ANNOUNCEMENT = LOCAL / "demo.json"
LOGS = LOCAL / "logs"
RECORDS = LOCAL / "run"

# Which provider's address stands for which path of the stand-ins' server.
STAND_INS = {
    "STRIPE_API_BASE": "/stripe",
    "SHOPIFY_API_BASE": "/shopify",
    "TREMENDOUS_API_BASE": "/tremendous",
    "PAYPAL_API_BASE": "/paypal",
    "WISE_API_BASE": "/wise",
    "RAZORPAY_API_BASE": "/razorpay",
    "CASHFREE_API_BASE": "/cashfree",
}


@dataclass(frozen=True)
class Kept:
    """What has to be the same in every run, so that stored data can be read again."""

    clone: str
    secret_key: str
    encryption_key: str
    database_password: str
    redis_password: str
    database_port: int
    redis_port: int
    sandbox_port: int


def keep() -> Kept:
    """The kept secrets, made in the first run, with ports that are free now: the same ones where they still are."""
    found = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept = Kept(**found) if set(found) == {field.name for field in fields(Kept)} else _made()
    database = free_port(kept.database_port)
    redis = free_port(kept.redis_port, besides=(database,))
    sandbox = free_port(kept.sandbox_port, besides=(database, redis))
    kept = replace(kept, database_port=database, redis_port=redis, sandbox_port=sandbox)
    write_private(KEPT, json.dumps(asdict(kept), indent=2))
    return kept


def _made() -> Kept:
    return Kept(
        clone=secrets.token_hex(8),
        secret_key=secrets.token_urlsafe(48),
        encryption_key=urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        database_password=secrets.token_hex(24),
        redis_password=secrets.token_hex(24),
        database_port=0,
        redis_port=0,
        sandbox_port=0,
    )


def demo_environment(
    kept: Kept, *, given: Mapping[str, str], port: int, addresses: Mapping[str, str]
) -> dict[str, str]:
    """The variables of the demo's processes. What is set and not empty in `given` goes before what we would choose."""
    chosen = {
        "SECRET_KEY": kept.secret_key,
        "ENCRYPTION_KEYS": kept.encryption_key,
        "BASE_URL": f"http://{LOOPBACK}:{port}",
        "ALLOWED_HOSTS": f"localhost,{LOOPBACK},[::1]",
        "METRICS_OPEN": "true",
        # So that a webhook endpoint on this machine can be tried out; refused everywhere else.
        "WEBHOOK_ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8,::1/128",
        # The app that the stand-in's shops install.
        "SHOPIFY_CLIENT_ID": "stand-in-app",
        "SHOPIFY_CLIENT_SECRET": "shpss_stand_in_app",
        **{name: f"http://{LOOPBACK}:{kept.sandbox_port}{path}" for name, path in STAND_INS.items()},
        **addresses,
    }
    return {name: given.get(name) or value for name, value in chosen.items()}


def write_environment(environment: Mapping[str, str]) -> None:
    """Writes the file from which manage.py learns where the demo's services run."""
    lines = ["# Written by `make demo`, read by manage.py where DATABASE_URL is not set."]
    lines += [f"{name}={value}" for name, value in sorted(environment.items())]
    write_private(ENVIRONMENT, "\n".join(lines) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replaces the file at once, readable by its owner alone."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)
