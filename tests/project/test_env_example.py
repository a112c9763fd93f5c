"""`.env.example` lists every setting that is read from the environment or by compose, and no other."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PROVIDERS = ("STRIPE", "SHOPIFY", "TREMENDOUS", "PAYPAL", "WISE", "RAZORPAY", "CASHFREE")


def test_it_works() -> None:
    settings = (PROJECT / "referral_rocket" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings)) | {"LOG_LEVEL"}
    read |= {f"{provider}_API_BASE" for provider in PROVIDERS}

    example = (PROJECT / ".env.example").read_text()
    listed = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, flags=re.MULTILINE))

    compose = (PROJECT / "docker-compose.yml").read_text()
    assert listed == read | set(re.findall(r"\$\{([A-Z_]*PASSWORD)", compose))
