"""What can be taken from a file, and by which names the columns go in other programs' exports. Pure.

A name is compared without case, and `-`, `_` and spaces are one. The order of a field's names is the order in which they
are looked for: a file with both a friend's and an advocate's e-mail is a list of friends.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """Something that a column can be. `provider` is whose customer's id it is, where it is one."""

    name: str
    label: str
    help: str = ""
    names: Sequence[str] = ()
    required: bool = False
    provider: str = ""


EMAIL = Field(
    "email",
    "E-mail",
    "Who takes part. Everybody is known by it.",
    (
        "email", "e mail", "email address", "friend email", "friend email address", "referred email", "referral email",
        "referee email", "lead email", "customer email", "participant email", "user email", "contact email",
        "advocate email", "affiliate email", "partner email", "promoter email", "referrer email",
    ),
    required=True,
)  # fmt: skip
NAME = Field(
    "name",
    "Name",
    "The whole name, or the first name.",
    (
        "name", "full name", "first name", "firstname", "friend name", "customer name", "participant name", "lead name",
        "display name", "advocate name", "affiliate name", "partner name", "promoter name",
    ),
)  # fmt: skip
LAST_NAME = Field("last_name", "Last name", "Put after the name.", ("last name", "lastname", "surname", "family name"))
EXTERNAL_ID = Field(
    "external_id",
    "Your own id",
    "The person's id in your shop or CRM.",
    (
        "external id",
        "externalid",
        "external reference id",
        "cust id",
        "uid",
        "user id",
        "tenant id",
        "merchant customer id",
    ),
)
CODE = Field(
    "code",
    "Referral code or link",
    "Kept, so that old codes go on working. Without it everybody gets a new one.",
    (
        "referral code", "referralcode", "ref code", "refcode", "ref id", "refid", "default ref id", "referral id", "affiliate code", "token",
        "link token", "tracking parameter", "referral link", "referral url", "share url", "shareurl", "unique link",
        "personal url", "purl", "affiliate link", "partner link", "link", "url", "code",
    ),
)  # fmt: skip
KEY = Field(
    "key",
    "Id in the old program",
    "Isn't kept: it only helps to find out who referred whom.",
    ("id", "participant id", "affiliate id", "partner id", "promoter id", "advocate id", "growsurf id", "member id"),
)
REFERRER = Field(
    "referrer",
    "Referred by",
    "An e-mail address, a code or link, or an id of the old program.",
    (
        "referred by", "referredby", "referrer", "referrer email", "advocate email", "affiliate email", "partner email",
        "promoter email", "referred by email", "referrer id", "referrer code", "parent promoter id", "parent id",
        "advocate referral code", "affiliate", "partner", "promoter", "advocate", "via", "advocate id", "affiliate id",
        "partner id", "promoter id", "affiliate token", "promoter ref id",
    ),
)  # fmt: skip
JOINED = Field(
    "joined_at",
    "Joined",
    "Without it: the day of this import.",
    (
        "joined at", "joined", "joined on", "join date", "created at", "createdat", "created", "created on",
        "date created", "enrolled at", "enrolled", "signed up at", "signed up", "sign up date", "signup date",
        "registered at", "became lead at", "became conversion at", "referral date", "date joined", "date added", "date",
    ),
)  # fmt: skip
STATUS = Field(
    "status",
    "Status",
    "Who is banned, blocked, disabled, suspended or rejected there is banned here, and earns nothing.",
    ("status", "state", "affiliate status", "partner status", "promoter status", "banned at"),
)
STRIPE = Field(
    "stripe",
    "Stripe customer id",
    "By it payments are recognised and credit is given.",
    ("stripe customer id", "stripe id", "customer id"),
    provider="stripe",
)
PAYPAL = Field(
    "paypal",
    "PayPal address",
    "Where PayPal payouts go. Without it: the e-mail address.",
    ("paypal email", "paypal", "paypal address", "paypal email address", "payout email"),
    provider="paypal",
)
FIELDS = (EMAIL, NAME, LAST_NAME, EXTERNAL_ID, CODE, KEY, REFERRER, JOINED, STATUS, STRIPE, PAYPAL)

# Columns by which an export is recognised; all have to be there. docs/moving-here.md says where each is from.
_SOURCES: tuple[tuple[str, frozenset[str]], ...] = (
    ("Referral Rocket", frozenset({"participant id", "customer id", "referral code", "joined at", "banned at"})),
    ("Dub Partners", frozenset({"id", "email", "enrolled at", "payouts enabled at"})),
    ("FirstPromoter", frozenset({"email", "ref id", "cust id"})),
    ("FirstPromoter", frozenset({"email", "default ref id"})),
    ("Rewardful", frozenset({"email", "first name", "last name", "visitors", "leads", "conversions"})),
    ("Rewardful", frozenset({"email", "first name", "last name", "token", "paypal email"})),
    ("GrowSurf", frozenset({"email", "share url", "referral count"})),
    ("GrowSurf", frozenset({"email", "shareurl", "referralcount"})),
    ("Friendbuy", frozenset({"advocate email", "friend email"})),
    ("Friendbuy", frozenset({"advocate email", "email shares", "friend clicks"})),
    ("Tolt", frozenset({"email", "payout method", "payout email"})),
)  # fmt: skip


def guessed_mapping(columns: Sequence[str]) -> dict[str, int]:
    """Which column each field probably is, by the columns' names; a column is one field. Our own export first."""
    places: dict[str, int] = {}
    for place, column in enumerate(columns):
        places.setdefault(_plain(column), place)
    mapping: dict[str, int] = {}
    own = source_of(columns) == "Referral Rocket"
    for field in FIELDS:
        if own and field in (KEY, STRIPE):
            # Its ids are ours: they name nobody in a file of another program, and no customer at Stripe.
            continue
        found = next(
            (places[name] for name in field.names if name in places and places[name] not in mapping.values()), None
        )
        if found is not None:
            mapping[field.name] = found
    return mapping


def source_of(columns: Sequence[str]) -> str:
    """The program whose export has these columns; "" where none is recognised."""
    found = {_plain(column) for column in columns}
    return next((name for name, wanted in _SOURCES if wanted <= found), "")


def left_out(columns: Sequence[str], mapping: Mapping[str, int]) -> list[str]:
    """The columns that nothing is taken from, as the file has them."""
    return [column for place, column in enumerate(columns) if place not in mapping.values()]


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9]+", " ", name.lower()).split())
