"""Help for whoever receives our webhooks: code that verifies a signature, and a vector to try it with."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from referral_rocket.kit.signing import standard_signature

_FOLDER = Path(__file__).parent / "verifying"
_LANGUAGES = (
    ("python", "Python", "py"),
    ("node", "Node", "mjs"),
    ("ruby", "Ruby", "rb"),
    ("php", "PHP", "php"),
    ("go", "Go", "go"),
)

# A secret of nobody's, and what it signs: for trying a verification. The time is 2026-11-21T09:00:00Z.
VECTOR_SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # noqa: S105
VECTOR_ID = "msg_01939a5c6e7f7000b5b0c6f0f1a2b3c4"
VECTOR_TIMESTAMP = 1795251600
VECTOR_BODY = '{"data":{},"object":"TEST"}'


@dataclass(frozen=True)
class Example:
    """How to verify in one language; `code` is a whole file."""

    slug: str
    name: str
    code: str


@cache
def examples() -> tuple[Example, ...]:
    return tuple(
        Example(slug, name, (_FOLDER / f"verify.{ending}").read_text(encoding="utf-8"))
        for slug, name, ending in _LANGUAGES
    )


def vector_signature() -> str:
    return standard_signature(VECTOR_SECRET, VECTOR_ID, VECTOR_TIMESTAMP, VECTOR_BODY.encode())
