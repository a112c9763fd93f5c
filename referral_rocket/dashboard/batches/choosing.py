"""What is to be issued, as an address or a form says it, and with what.

- `campaign` with `everything=1` or `selected=<participant>:<currency>…`, and the Reward Due table's filters;
- `reward=<id>…`;
- `batch=<id>`: what that batch didn't issue and is still due, with `code=…` only those that failed for that reason.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, QueryDict

from campaigns.models import Campaign
from referral_rocket.dashboard.links import to
from referral_rocket.dashboard.methods import MenuLine
from referral_rocket.dashboard.rewards.due import FILTERS, due_filter
from rewards.due import free_of_rows
from rewards.models import RewardBatch
from rewards.selectors import not_issued
from rewards.services.selecting import Selection

_KEPT = ("campaign", "everything", "selected", "reward", "batch", "code", *FILTERS)


@dataclass(frozen=True)
class Chosen:
    """`fields` say the same again in a form; `back` is the page that it was chosen on."""

    selection: Selection
    fields: Sequence[tuple[str, str]]
    back: str

    @property
    def is_empty(self) -> bool:
        return self.selection.is_empty


def chosen(request: HttpRequest, asked: QueryDict) -> Chosen:
    """Raises Http404 for a campaign or batch that isn't here, BadRequest for what can't be read."""
    fields = [(name, value) for name in _KEPT for value in asked.getlist(name) if value]
    if asked.get("batch"):
        batch = RewardBatch.objects.filter(pk=_uuid(asked["batch"])).first()
        if batch is None:
            raise Http404("There is no such batch.")
        rewards = list(not_issued(batch, code=asked.get("code", "")).values_list("reward_id", flat=True))
        return Chosen(Selection(reward_ids=rewards), fields, to(request, "batch", batch.pk))
    if asked.get("campaign"):
        return _of_campaign(request, asked, fields)
    rewards = [_uuid(text) for text in asked.getlist("reward")]
    back = to(request, "reward", rewards[0]) if len(rewards) == 1 else to(request, "rewards")
    return Chosen(Selection(reward_ids=rewards), fields, back)


def _of_campaign(request: HttpRequest, asked: QueryDict, fields: Sequence[tuple[str, str]]) -> Chosen:
    campaign = Campaign.objects.filter(pk=_uuid(asked["campaign"])).first()
    if campaign is None:
        raise Http404("There is no such campaign.")
    back = to(request, "reward_due", campaign.pk)
    wanted = due_filter(campaign.pk, asked)
    if not asked.get("everything"):
        rewards = free_of_rows(wanted, _rows(asked.getlist("selected")))
        return Chosen(Selection(reward_ids=rewards), fields, back)
    return Chosen(Selection(due=wanted), fields, back)


def _rows(keys: Iterable[str]) -> list[tuple[UUID, str]]:
    rows = []
    for key in keys:
        participant, _, currency = key.partition(":")
        rows.append((_uuid(participant), currency))
    return rows


def _uuid(text: object) -> UUID:
    try:
        return UUID(str(text))
    except ValueError as error:
        raise BadRequest("This address names no reward that could be issued.") from error


def line_of(lines: Sequence[MenuLine], key: str) -> MenuLine:
    """The line of the menu that was pressed. Raises Http404 where it isn't offered (any more)."""
    for line in lines:
        if line.key == key:
            return line
    raise Http404("This way to issue isn't available. Connect the provider under Integrations, or choose another way.")
