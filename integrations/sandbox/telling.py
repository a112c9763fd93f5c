"""How the stand-ins send webhooks."""

from collections.abc import Mapping
from typing import Any

import requests

SECONDS = 20


def tell(url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """Post a JSON body that is signed in `headers`: `{status, error}`, of which one is None."""
    sent = {"Content-Type": "application/json", **headers}
    try:
        answer = requests.post(url, data=body, headers=sent, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return {"status": None, "error": type(error).__name__}
    return {"status": answer.status_code, "error": None}
