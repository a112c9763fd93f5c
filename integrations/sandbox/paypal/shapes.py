"""PayPal's objects as it returns them. A test holds them against PayPal's OpenAPI documents."""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
DOCUMENTS = "https://developer.paypal.com/docs/api/payments.payouts-batch/#errors"
# What an item says beside a state that isn't a success: PayPal's name for the reason, and its sentence.
REASONS = {
    "UNCLAIMED": ("RECEIVER_UNREGISTERED", "The recipient for this payout does not have an account."),
    "RETURNED": ("RECEIVER_UNREGISTERED", "The recipient didn't claim this payout, and the money was returned."),
    "BLOCKED": ("RECEIVER_ACCOUNT_LOCKED", "The recipient's account is locked or inactive."),
    "FAILED": ("RECEIVER_COUNTRY_NOT_ALLOWED", "The recipient lives in a country where payouts are not allowed."),
    "ONHOLD": ("REGULATORY_PENDING", "This payout is under review."),
}
SELF_PAY = ("SELF_PAY_NOT_ALLOWED", "You cannot send a payout to yourself.")


def new_id() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(13))


def account_of(client_id: str) -> str:
    """The number of the account of a client ID."""
    number = int.from_bytes(hashlib.sha256(client_id.encode()).digest()[:16], "big")
    letters = ""
    for _ in range(13):
        number, rest = divmod(number, len(ALPHABET))
        letters += ALPHABET[rest]
    return letters


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def error(name: str, message: str, details: list[Json] | None = None) -> Json:
    body = {"name": name, "message": message, "debug_id": secrets.token_hex(7), "information_link": DOCUMENTS}
    return body | ({"details": details} if details else {})


def link(base: str, path: str, rel: str = "self") -> Json:
    return {"href": f"{base}{path}", "rel": rel, "method": "GET"}


def batch(wanted: Json, account: str) -> Json:
    """As kept; `shown` makes the answers of it."""
    return {
        "id": new_id(),
        "account": account,
        "status": "SUCCESS",
        "sender_batch_header": wanted["sender_batch_header"],
        "time_created": now(),
    }


def item(wanted: Json, batch_id: str, sender_batch_id: str, state: str, reason: tuple[str, str] | None) -> Json:
    fields = ("amount", "note", "receiver", "sender_item_id")
    kept = {
        "id": new_id(),
        "transaction_id": secrets.token_hex(8).upper() + "X",
        "payout_batch_id": batch_id,
        "sender_batch_id": sender_batch_id,
        "payout_item": {name: wanted[name] for name in fields if name in wanted}
        | {"recipient_type": wanted["recipient_type"], "recipient_wallet": "PAYPAL"},
    }
    return with_state(kept, state, reason)


def with_state(kept: Json, state: str, reason: tuple[str, str] | None = None) -> Json:
    why = reason or REASONS.get(state)
    changed = {**kept, "transaction_status": state, "time_processed": now()}
    changed.pop("errors", None)
    return changed | ({"errors": error(*why)} if why else {})


def created(kept: Json, base: str) -> Json:
    header = {name: kept["sender_batch_header"][name] for name in ("sender_batch_id", "email_subject")}
    return {
        "batch_header": {"payout_batch_id": kept["id"], "batch_status": "PENDING", "sender_batch_header": header},
        "links": [link(base, f"/v1/payments/payouts/{kept['id']}")],
    }


def shown_batch(kept: Json, items: list[Json], total: int, pages: int, base: str) -> Json:
    header = {name: kept["sender_batch_header"][name] for name in ("sender_batch_id", "email_subject")}
    return {
        "total_items": total,
        "total_pages": pages,
        "batch_header": {
            "payout_batch_id": kept["id"],
            "batch_status": kept["status"],
            "time_created": kept["time_created"],
            "sender_batch_header": header,
            "funding_source": "BALANCE",
        },
        "items": [shown_item(one, base) for one in items],
        "links": [link(base, f"/v1/payments/payouts/{kept['id']}")],
    }


def shown_item(kept: Json, base: str) -> Json:
    currency = kept["payout_item"]["amount"]["currency"]
    names = ("transaction_id", "transaction_status", "payout_batch_id", "payout_item", "time_processed", "errors")
    return {
        "payout_item_id": kept["id"],
        **{name: kept[name] for name in names if name in kept},
        "payout_item_fee": {"currency": currency, "value": "0.00"},
        "links": [link(base, f"/v1/payments/payouts-item/{kept['id']}", "item")],
    }


def user(account: str) -> Json:
    return {
        "user_id": f"https://www.paypal.com/webapps/auth/identity/user/{account}",
        "name": "Referral Rocket stand-in",
        "payer_id": account,
        "verified_account": "true",
    }


def event(event_type: str, resource_type: str, resource: Json, summary: str, base: str) -> Json:
    event_id = f"WH-{new_id()}-{new_id()}"
    return {
        "id": event_id,
        "event_version": "1.0",
        "create_time": now(),
        "resource_type": resource_type,
        "event_type": event_type,
        "summary": summary,
        "resource": resource,
        "links": [link(base, f"/v1/notifications/webhooks-events/{event_id}")],
    }
