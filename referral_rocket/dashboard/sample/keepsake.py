"""The texts that only the demo may remember: a password and API keys, in a private file, the same in every run."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Keepsake:
    """What is printed for people and programs to get in with. Never stored by the product itself."""

    email: str
    password: str
    api_key: str = ""
    test_api_key: str = ""


def kept(path: Path, email: str) -> Keepsake:
    """What the file holds; a new password, and no keys, where there is none."""
    found = json.loads(path.read_text()) if path.exists() else {}
    if set(found) == {field.name for field in fields(Keepsake)} and found["email"] == email:
        return Keepsake(**found)
    return Keepsake(email=email, password=f"rocket-{secrets.token_urlsafe(9)}")


def keep(path: Path, keepsake: Keepsake) -> None:
    """Replaces the file at once, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(keepsake), indent=2))
    fresh.replace(path)
