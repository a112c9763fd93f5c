"""What Wise lists of rewards: the profile's transfers, by the id and the reference that we gave them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from integrations.base import Access, IssueOutcome
from integrations.errors import ProviderRejected
from integrations.listing import Listed, ListedPage
from integrations.providers.wise import states, words
from integrations.providers.wise.client import Wise
from integrations.providers.wise.transfers import PAGE, own_transfer_id, plain_of, reference_of
from referral_rocket.kit.money import InvalidAmount, parse_money

Json = Mapping[str, Any]
# What every transfer of ours begins with: what it says is cut to the ten letters that all routes take.
_OURS = reference_of("Reward from")


def transfers(access: Access, since: datetime, cursor: str, person: str) -> ListedPage:
    talk = Wise(access)
    profile, offset = access.settings.get("profile_id"), int(cursor or 0)
    if not profile:
        raise ProviderRejected(words.NO_SETTINGS)
    start = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    said = talk.read(f"/v1/transfers?profile={profile}&createdDateStart={start}&limit={PAGE}&offset={offset}")
    if not isinstance(said.body, list):
        raise talk.unreadable(writes=False)
    try:
        listed = [_transfer(one) for one in said.body if isinstance(one, Mapping)]
    except (KeyError, TypeError, ValueError) as error:
        raise talk.unreadable(writes=False) from error
    return ListedPage(tuple(each for each in listed if each), str(offset + PAGE) if len(said.body) == PAGE else "")


def _transfer(one: Json) -> Listed | None:
    own, details = one.get("customerTransactionId"), one.get("details") or {}
    if not _is_our_kind(own) or details.get("reference") != _OURS:
        return None
    status = str(one["status"])
    currency = str(one["targetCurrency"])
    meaning = states.MEANINGS.get(status, states.UNKNOWN)
    try:
        amount = parse_money(plain_of(one["targetValue"]), currency)
    except InvalidAmount:
        amount = None
    return Listed(
        reference=str(one["id"]),
        made_at=_moment(str(one["created"])),
        own_id=str(own),
        amount=amount,
        currency=currency if amount is not None else None,
        # One that isn't paid for is empty paper.
        stands=meaning.outcome != IssueOutcome.RETURNED and status != states.UNFUNDED,
    )


def own_id(idempotency_key: str, group_key: str) -> str:
    return own_transfer_id(idempotency_key, group_key)


def _is_our_kind(own: Any) -> bool:
    """Ours are made from names (RFC 9562, version 5); other systems mostly make random ones."""
    try:
        return UUID(own).version == 5
    except (ValueError, TypeError, AttributeError):
        return False


def _moment(text: str) -> datetime:
    """Wise writes `2018-08-28 07:43:55` or ISO 8601, in UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
