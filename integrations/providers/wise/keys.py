"""What a Wise credential looks like, and the keys that Wise signs webhooks with."""

import re
from collections.abc import Mapping

from integrations.errors import InvalidCredentials
from integrations.providers.wise import words

_TOKEN = re.compile(r"[A-Za-z0-9-]{20,200}")

# Wise signs with one key for each environment, and publishes both on its page "How to create a webhook event handler"
# (docs.wise.com/guides/developer/webhooks/event-handling). The sandbox's was tried on the signed sample in Wise's
# repository digital-signatures-examples; of the live one no signed sample is published.
WEBHOOK_KEYS = {
    "LIVE": b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvO8vXV+JksBzZAY6GhSO
XdoTCfhXaaiZ+qAbtaDBiu2AGkGVpmEygFmWP4Li9m5+Ni85BhVvZOodM9epgW3F
bA5Q1SexvAF1PPjX4JpMstak/QhAgl1qMSqEevL8cmUeTgcMuVWCJmlge9h7B1CS
D4rtlimGZozG39rUBDg6Qt2K+P4wBfLblL0k4C4YUdLnpGYEDIth+i8XsRpFlogx
CAFyH9+knYsDbR43UJ9shtc42Ybd40Afihj8KnYKXzchyQ42aC8aZ/h5hyZ28yVy
Oj3Vos0VdBIs/gAyJ/4yyQFCXYte64I7ssrlbGRaco4nKF3HmaNhxwyKyJafz19e
HwIDAQAB
-----END PUBLIC KEY-----
""",
    "TEST": b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwpb91cEYuyJNQepZAVfP
ZIlPZfNUefH+n6w9SW3fykqKu938cR7WadQv87oF2VuT+fDt7kqeRziTmPSUhqPU
ys/V2Q1rlfJuXbE+Gga37t7zwd0egQ+KyOEHQOpcTwKmtZ81ieGHynAQzsn1We3j
wt760MsCPJ7GMT141ByQM+yW1Bx+4SG3IGjXWyqOWrcXsxAvIXkpUD/jK/L958Cg
nZEgz0BSEh0QxYLITnW1lLokSx/dTianWPFEhMC9BgijempgNXHNfcVirg1lPSyg
z7KqoKUN0oHqWLr2U1A+7kqrl6O2nx3CKs1bj1hToT1+p4kcMoHXA7kA+VBLUpEs
VwIDAQAB
-----END PUBLIC KEY-----
""",
}


def check_credentials(credentials: Mapping[str, str]) -> None:
    """Raises InvalidCredentials where `api_token` can't be one."""
    if not _TOKEN.fullmatch(credentials["api_token"]):
        raise InvalidCredentials([("credentials.api_token", "invalid", words.CREDENTIAL_SHAPE)])


def mode_of(credentials: Mapping[str, str]) -> str | None:
    """Tokens of both modes look the same; the address that they are sent to tells which they are for."""
    return None


def no_webhook_secret(secret: str) -> None:
    """Wise's webhooks have none of a connection's own."""
    raise InvalidCredentials([("webhook_secret", "unknown", "Wise signs its webhooks with its own key.")])
