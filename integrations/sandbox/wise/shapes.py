"""Wise's objects as it returns them. A test holds them against Wise's OpenAPI and AsyncAPI documents."""

import hashlib
import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

Json = dict[str, Any]


def new_number() -> int:
    return 10_000_000 + secrets.randbelow(900_000_000)


def profile_of(token: str) -> int:
    """The number of the one profile that an API token may use."""
    return 10_000_000 + int.from_bytes(hashlib.sha256(token.encode()).digest()[:4], "big") % 80_000_000


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def error(code: str, message: str, path: str = "") -> Json:
    return {"errors": [{"code": code, "message": message, "path": path, "arguments": []}]}


def profile(number: int) -> Json:
    return {
        "type": "BUSINESS",
        "id": number,
        "publicId": "f0e9d8c7-b6a5-4321-fedc-ba9876543210",
        "userId": 9889627,
        "email": "accounts@example.com",
        "createdAt": "2024-03-10T09:00:00Z",
        "updatedAt": "2025-06-18T14:22:00Z",
        "currentState": "VISIBLE",
        "businessName": "Referral Rocket stand-in",
    }


def balance(currency: str, value: Decimal) -> Json:
    def money(amount: Decimal) -> Json:
        return {"value": float(amount), "currency": currency}

    return {
        "id": 200000 + sum(map(ord, currency)),
        "currency": currency,
        "type": "STANDARD",
        "name": None,
        "icon": None,
        "investmentState": "NOT_INVESTED",
        "amount": money(value),
        "reservedAmount": money(Decimal(0)),
        "cashAmount": money(value),
        "totalWorth": money(value),
        "creationTime": "2020-05-20T14:43:16.658Z",
        "modificationTime": now(),
        "visible": True,
    }


def recipient(wanted: Json, profile_number: int, number: int) -> Json:
    return {
        "id": number,
        "creatorId": 41000000,
        "profileId": profile_number,
        "name": {"fullName": wanted["accountHolderName"], "givenName": None, "familyName": None, "middleName": None},
        "currency": wanted["currency"],
        "country": "GB",
        "type": "Email",
        "legalEntityType": "PERSON",
        "active": True,
        "details": {"email": wanted["details"]["email"], "hashedByLooseHashAlgorithm": secrets.token_hex(32)},
        "hash": secrets.token_hex(32),
        "accountSummary": wanted["details"]["email"],
        "longAccountSummary": wanted["details"]["email"],
        "isInternal": False,
        "ownedByCustomer": bool(wanted.get("ownedByCustomer", False)),
    }


def quote(wanted: Json, profile_number: int, rate: Decimal) -> Json:
    target = Decimal(str(wanted["targetAmount"]))
    return {
        "id": str(uuid4()),
        "sourceCurrency": wanted["sourceCurrency"],
        "targetCurrency": wanted["targetCurrency"],
        "sourceAmount": float((target / rate).quantize(Decimal("0.01"))),
        "targetAmount": float(target),
        "payOut": "BANK_TRANSFER",
        "preferredPayIn": "BALANCE",
        "rate": float(rate),
        "createdTime": now(),
        "user": 9889627,
        "profile": profile_number,
        "rateType": "FIXED",
        "rateExpirationTime": now(),
        "providedAmountType": "TARGET",
        "paymentOptions": [],
        "status": "PENDING",
    }


def group(wanted: Json) -> Json:
    return {
        "id": str(uuid4()),
        "version": 0,
        "name": wanted["name"],
        "sourceCurrency": wanted["sourceCurrency"],
        "status": "NEW",
        "transferIds": [],
        "payInDetails": [],
    }


def transfer(wanted: Json, quoted: Json, number: int) -> Json:
    return {
        "id": number,
        "user": 9889627,
        "targetAccount": wanted["targetAccount"],
        "sourceAccount": None,
        "quote": None,
        "quoteUuid": quoted["id"],
        "status": "incoming_payment_waiting",
        "reference": wanted.get("details", {}).get("reference", ""),
        "rate": quoted["rate"],
        "created": now(),
        "business": quoted["profile"],
        "transferRequest": None,
        "details": {"reference": wanted.get("details", {}).get("reference", "")},
        "hasActiveIssues": False,
        "sourceCurrency": quoted["sourceCurrency"],
        "sourceValue": quoted["sourceAmount"],
        "targetCurrency": quoted["targetCurrency"],
        "targetValue": quoted["targetAmount"],
        "customerTransactionId": wanted["customerTransactionId"],
    }


def payment(kept: Json, profile_number: int) -> Json:
    return {
        "id": kept["id"],
        "name": kept["name"],
        "fileName": None,
        "alreadyPaid": True,
        "shortId": 12345,
        "userId": 9889627,
        "profileId": profile_number,
        "sourceCurrency": kept["sourceCurrency"],
        "status": kept["status"],
        "groupType": "API",
        "transferIds": kept["transferIds"],
    }


def state_change(one: Json, profile_number: int, before: str) -> Json:
    return {
        "subscription_id": "01234567-89ab-cdef-0123-456789abcdef",
        "event_type": "transfers#state-change",
        "schema_version": "2.0.0",
        "sent_at": now(),
        "data": {
            "resource": {
                "type": "transfer",
                "id": one["id"],
                "profile_id": profile_number,
                "account_id": one["targetAccount"],
            },
            "current_state": one["status"],
            "previous_state": before,
            "occurred_at": now(),
        },
    }
