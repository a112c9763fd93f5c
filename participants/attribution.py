"""Who somebody is and who referred them. Pure."""

import secrets

from email_validator import EmailNotValidError, validate_email

# No 0/O, 1/I/L: a code is read out and typed. 31^8 is 8.5e11, and a code that is taken is drawn again.
CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8


class InvalidEmail(ValueError):
    """No e-mail address; the message says why."""


def email_key(email: str) -> str:
    """The form under which an address is looked up: trimmed, lower case, the domain in IDNA's ASCII form.

    Tags (`name+tag@`) and dots stay: with most providers they name different people. Raises InvalidEmail.
    """
    try:
        # Internal domains are fine: nothing is delivered here, a tenant's addresses are the tenant's business.
        valid = validate_email(email.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise InvalidEmail(str(error)) from error
    domain = valid.ascii_domain or valid.domain
    return f"{valid.local_part}@{domain}".lower()


def normalised_code(code: str) -> str:
    """Codes are made in upper case and may be typed in any. NUL, which PostgreSQL takes in no text, is in none."""
    return code.strip().upper().replace("\0", "\ufffd")


def new_code() -> str:
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
