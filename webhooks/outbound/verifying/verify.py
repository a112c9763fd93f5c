import base64
import hashlib
import hmac
import time
from collections.abc import Mapping


def verify(secret: str, headers: Mapping[str, str], body: bytes, tolerance: int = 300) -> bool:
    """`secret` is the endpoint's (whsec_…), `headers` have lower-case names, `body` is the raw body."""
    timestamp = headers["webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > tolerance:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([headers["webhook-id"].encode(), timestamp.encode(), body])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = [each[3:] for each in headers["webhook-signature"].split() if each.startswith("v1,")]
    return any(hmac.compare_digest(expected, each.encode()) for each in given)
