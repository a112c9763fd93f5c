"""Files to import, and the steps of an import as a person and a worker take them."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from campaigns.models import Campaign
from participants.importing.cells import AUTO
from participants.importing.dates import ISO
from participants.importing.fields import guessed_mapping
from participants.importing.models import Attributed, Existing, ImportRow, ParticipantImport
from participants.importing.services import import_map, import_start, import_undo, import_upload
from participants.importing.working import work_on
from participants.models import Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from tests import factories


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    return text.getvalue().encode()


def upload(organization: Organization, content: bytes, name: str = "people.csv", **fields: Any) -> ParticipantImport:
    with tenant(organization):
        return import_upload(
            organization=organization,
            file=io.BytesIO(content),
            file_name=name,
            size=len(content),
            actor=factories.ACTOR,
            **fields,
        )


def work() -> None:
    """Do what there is to do."""
    while work_on():
        pass


def checked(campaign: Campaign, content: bytes, **choices: Any) -> ParticipantImport:
    """Uploaded, mapped as guessed, and checked by the worker."""
    made = upload(campaign.organization, content)
    map_as_guessed(campaign, made, **choices)
    work()
    return fresh(made)


def map_as_guessed(campaign: Campaign, made: ParticipantImport, **choices: Any) -> None:
    wanted: dict[str, Any] = {
        "mapping": guessed_mapping(made.columns),
        "date_format": ISO,
        "referrer_by": AUTO,
        "existing": Existing.LEAVE,
        "attributed": Attributed.JOINED,
    }
    with tenant(campaign.organization):
        import_map(participant_import=made, campaign=campaign, actor=factories.ACTOR, **{**wanted, **choices})


def imported(campaign: Campaign, content: bytes, **choices: Any) -> ParticipantImport:
    made = checked(campaign, content, **choices)
    start(made)
    work()
    return fresh(made)


def start(made: ParticipantImport) -> None:
    with tenant(made.organization):
        import_start(participant_import=made, actor=factories.ACTOR)


def ask_to_undo(made: ParticipantImport) -> None:
    with tenant(made.organization):
        import_undo(participant_import=made, actor=factories.ACTOR)


def undone(made: ParticipantImport) -> ParticipantImport:
    ask_to_undo(made)
    work()
    return fresh(made)


def fresh(made: ParticipantImport) -> ParticipantImport:
    with tenant(made.organization):
        return ParticipantImport.objects.select_related("organization", "campaign").get(pk=made.pk)


def rows(made: ParticipantImport) -> list[tuple[int, str, str]]:
    """(line, state, problem) of each row."""
    with tenant(made.organization):
        found = ImportRow.objects.filter(participant_import=made).order_by("line")
        return list(found.values_list("line", "state", "problem"))


def reasons(made: ParticipantImport) -> dict[int, str]:
    with tenant(made.organization):
        found = ImportRow.objects.filter(participant_import=made).exclude(reason="").order_by("line")
        return dict(found.values_list("line", "reason"))


def people(campaign: Campaign) -> dict[str, Participant]:
    """Participants of the campaign by e-mail."""
    with tenant(campaign.organization):
        found = Participant.objects.filter(campaign=campaign).select_related(
            "organization", "campaign", "customer", "referred_by__customer"
        )
        return {each.customer.email_key: each for each in found}


def referrals(campaign: Campaign) -> dict[str, str | None]:
    """Who was referred by whom, by e-mail."""
    return {
        email: each.referred_by.customer.email_key if each.referred_by else None
        for email, each in people(campaign).items()
    }
