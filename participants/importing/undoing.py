"""Taking an import back: what it made and nobody has touched since goes, what it filled in is emptied again.

The referred go before their referrers, so a referrer goes only if everybody goes who points to that participant. Whatever
else points to a participant (events, rewards, clicks, people referred since) means that something has happened: the
participant stays, and its row says why. What points to a participant is asked of the models, so a table that is added
later counts too.

Killed between any two lines, a part is taken back with the states of its rows or not at all. A participant is locked
before it is looked at, as it is where events are recorded: one of the two sees the other. Who was about to record something
about a participant that is gone then has done nothing: the API answers 503 to be asked again, the share link 404, and a
payment's message is worked on once more.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, models
from django.db.models import Count

from participants.importing.filling import participant_empty
from participants.importing.models import ImportRow, ImportStatus, ParticipantImport, RowState
from participants.importing.running import rows_write
from participants.importing.work import ACTOR, Work
from participants.models import Customer, Participant, ProviderCustomer
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock

CHUNK = 500
_WORDS = {"click": "clicks", "qualifyingevent": "events", "reward": "rewards"}


@dataclass(frozen=True)
class _Person:
    customer_id: UUID
    is_erased: bool


def undo(work: Work) -> bool:
    """Undo on until it is done or the time is over; whether it is done."""
    return work.in_parts(_next, _take_back, _finish)


def _next(held: ParticipantImport) -> list[ImportRow]:
    """What was filled in first: a referrer that was may be somebody who was made. Then the referred before referrers.

    One state at a time, in the order of the index: sorting what is left for each part would take ever longer.
    """
    rows = ImportRow.objects.filter(participant_import=held).order_by("-wave", "-line").defer("cells", "values")
    return list(rows.filter(state=RowState.FILLED)[:CHUNK]) or list(rows.filter(state=RowState.CREATED)[:CHUNK])


def _finish(work: Work, held: ParticipantImport) -> None:
    counted = dict(
        ImportRow.objects.filter(participant_import=held).values_list("state").annotate(Count("pk")).order_by()
    )
    outcome = {
        "removed": counted.get(RowState.REMOVED, 0),
        "restored": counted.get(RowState.RESTORED, 0),
        "kept": counted.get(RowState.KEPT, 0),
    }
    work.end(
        ImportStatus.UNDONE,
        outcome,
        figures={**held.figures, **outcome},
        done=held.total,
        undone_at=clock.wall(),
        message="",
    )


def _take_back(held: ParticipantImport, rows: Sequence[ImportRow]) -> None:
    # In key order, and for good: nobody may point to them any more once they have been looked at.
    ids = [row.participant_id for row in rows if row.participant_id]
    people = {
        pk: _Person(customer_id, erased_at is not None)
        for pk, customer_id, erased_at in Participant.objects.select_for_update(of=("self",))
        .filter(pk__in=ids)
        .order_by("pk")
        .values_list("pk", "customer_id", "customer__erased_at")
    }
    for row in rows:
        if row.state == RowState.FILLED:
            _empty(held, row, people)
    _remove(held, [row for row in rows if row.state == RowState.CREATED], people)
    rows_write(held, rows)


def _remove(held: ParticipantImport, rows: Sequence[ImportRow], people: dict[UUID, _Person]) -> None:
    there = {row.participant_id: row for row in rows if row.participant_id in people}
    happened = _what_happened(there)
    referred = _referred(there)
    gone: set[UUID] = set()
    for row in rows:
        participant_id = row.participant_id
        if participant_id is None or participant_id not in people:
            row.state, row.reason = RowState.REMOVED, "Was no longer there."
            continue
        # Those whom this one referred come before it; so they are decided about by now.
        reasons = happened[participant_id] | ({"people referred"} if referred[participant_id] - gone else set())
        if people[participant_id].is_erased:
            reasons.add("been erased")
        if reasons:
            row.state, row.reason = RowState.KEPT, f"Has {', '.join(sorted(reasons))} since the import."
        else:
            row.state = RowState.REMOVED
            gone.add(participant_id)
    _delete(held, [row for row in rows if row.participant_id in gone], people)


def _what_happened(ids: Collection[UUID | None]) -> dict[UUID, set[str]]:
    """What points to these participants, in words; but for whom they referred."""
    found: dict[UUID, set[str]] = defaultdict(set)
    for model, column in _pointing_to(Participant):
        if model is Participant:
            continue
        word = _WORDS.get(model._meta.model_name or "", str(model._meta.verbose_name_plural))
        for participant_id in _pointed(model, column, ids):
            found[participant_id].add(word)
    return found


def _referred(ids: Collection[UUID | None]) -> dict[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for participant_id, referrer_id in Participant.objects.filter(referred_by__in=list(ids)).values_list(
        "pk", "referred_by"
    ):
        assert referrer_id is not None
        found[referrer_id].add(participant_id)
    return found


def _pointing_to(model: type[models.Model]) -> Iterator[tuple[type[models.Model], str]]:
    for relation in model._meta.related_objects:
        yield relation.related_model, relation.field.name


def _pointed(model: type[models.Model], column: str, ids: Iterable[UUID | None]) -> set[Any]:
    rows = model._default_manager.filter(**{f"{column}__in": list(ids)})
    return set(rows.order_by().values_list(column, flat=True).distinct())


def _delete(held: ParticipantImport, rows: Sequence[ImportRow], people: dict[UUID, _Person]) -> None:
    ids = [row.participant_id for row in rows if row.participant_id]
    if not ids:
        return
    # By hand: everything that could point to them has been looked at, under lock.
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM participants_participant WHERE id = ANY(%s)", [ids])
    _delete_customers(
        {people[row.participant_id].customer_id for row in rows if row.participant_id and row.customer_made}
    )
    happenings = [
        Happening("participant.removed", "participant", each, held.campaign_id, {"reason": "import undone"})
        for each in ids
    ]
    record(organization=held.organization, actor=ACTOR, happenings=happenings, told=False)


def _delete_customers(ids: set[UUID]) -> None:
    """Customers that the import made and that are nothing else to us: in no other campaign, no payer of anything."""
    locked = set(Customer.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk", flat=True))
    for model, column in _pointing_to(Customer):
        if model is not ProviderCustomer:
            locked -= _pointed(model, column, locked)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM participants_providercustomer WHERE customer_id = ANY(%s)", [list(locked)])
        cursor.execute("DELETE FROM participants_customer WHERE id = ANY(%s)", [list(locked)])


def _empty(held: ParticipantImport, row: ImportRow, people: dict[UUID, _Person]) -> None:
    participant_id = row.participant_id
    if participant_id is None or participant_id not in people or people[participant_id].is_erased or row.filled is None:
        row.state, row.reason = RowState.KEPT, "The participant is no longer there, or was erased."
        return
    stays = participant_empty(
        organization=held.organization, participant_id=participant_id, filled=row.filled, actor=ACTOR
    )
    row.state = RowState.KEPT if stays else RowState.RESTORED
    row.reason = f"Changed since the import: {', '.join(stays)}." if stays else ""
