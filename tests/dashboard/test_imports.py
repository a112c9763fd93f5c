"""The pages of an import, from the upload to the undo."""

import csv
import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from campaigns.models import Campaign
from participants.importing.models import ImportStatus, ParticipantImport
from participants.models import Customer, Participant
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from tests import factories
from tests.dashboard.visitor import Visitor, member, text
from tests.participants.importing import files

pytestmark = pytest.mark.django_db

FILE = files.as_csv(
    ("Email", "Name", "Token", "Referred by", "Created at", "Country"),
    [
        ("ann@example.com", "Ann", "ann", "", "01/31/2024", "DE"),
        ("ben@example.com", "=1+1", "ben", "ann", "02/01/2024", ""),
        ("nobody", "Nob", "", "", "", ""),
    ],
)


@pytest.fixture
def marketer(organization: Organization) -> Visitor:
    return member(organization, Role.MARKETER)


def uploaded(visitor: Visitor, content: bytes = FILE, **fields: Any) -> Any:
    return visitor.post("participant_import_new", file=SimpleUploadedFile("people.csv", content), **fields)


def only(organization: Organization) -> ParticipantImport:
    with tenant(organization):
        return ParticipantImport.objects.get()


def as_offered(answer: Any) -> dict[str, Any]:
    """What a browser would send of the form as it is shown."""
    form = answer.context["form"]
    return {name: "" if form[name].value() is None else form[name].value() for name in form.fields}


def test_it_works(organization: Organization, campaign: Campaign, marketer: Visitor) -> None:
    answer = uploaded(marketer)
    made = only(organization)
    assert answer.headers["Location"] == marketer.url("participant_import_columns", made.pk)

    columns = marketer.get("participant_import_columns", made.pk)
    offered = as_offered(columns)
    assert offered["campaign"] == campaign.pk
    assert (offered["email"], offered["name"], offered["code"], offered["referrer"]) == (0, 1, 2, 3)
    assert (offered["joined_at"], offered["date_format"], offered["stripe"]) == (4, "MDY", "")
    assert "Created at · 01/31/2024" in text(columns)

    marketer.post("participant_import_columns", made.pk, **offered)
    assert "Checking each row" in text(marketer.get("participant_import", made.pk))
    assert "HX-Refresh" not in marketer.get("participant_import_progress", made.pk).headers
    files.work()
    assert marketer.get("participant_import_progress", made.pk).headers["HX-Refresh"] == "true"

    preview = text(marketer.get("participant_import", made.pk))
    assert "Nothing is written yet" in preview
    assert "Import 2 participants" in preview
    assert "Not imported: Country." in preview
    assert "1 \N{MULTIPLICATION SIGN} Not an e-mail address" in preview.replace("</span>", "").replace(
        '<span class="font-medium tabular-nums">', ""
    )
    assert "1 referral past the attribution window" in preview
    assert files.people(campaign) == {}

    marketer.post("participant_import_start", made.pk)
    files.work()
    done = text(marketer.get("participant_import", made.pk))
    assert "2 participants are in the campaign." in done
    assert files.referrals(campaign) == {"ann@example.com": None, "ben@example.com": "ann@example.com"}

    marketer.post("participant_import_undo", made.pk)
    files.work()
    assert only(organization).status == ImportStatus.UNDONE
    assert files.people(campaign) == {}
    assert "people.csv" in text(marketer.get("participant_imports"))


def lines(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


@pytest.mark.django_db(transaction=True)
def test_wrong_rows_come_back_as_a_file_that_can_be_mended(
    organization: Organization, campaign: Campaign, marketer: Visitor
) -> None:
    content = files.as_csv(
        ("Email", "Name"), [("nobody", "=cmd()"), ("ann@example.com", "Ann"), ("ann@example.com", "@x")]
    )
    made = files.imported(campaign, content)

    found = lines(marketer.get("participant_import_errors", made.pk))

    assert found[0] == ["line", "reason", "Email", "Name"]
    assert found[1][0] == "2"
    assert found[1][1].startswith("“nobody” is no e-mail address")
    assert found[1][2:] == ["nobody", "'=cmd()"]
    assert found[2] == ["4", "The same e-mail address stands on line 3 already.", "ann@example.com", "'@x"]
    mended = files.as_csv(found[0], [[*found[1][:2], "bob@example.com", found[1][3]]])
    files.imported(campaign, mended)
    assert files.people(campaign)["bob@example.com"].customer.name == "=cmd()"


@pytest.mark.django_db(transaction=True)
def test_the_file_goes_on_after_a_part(campaign: Campaign, marketer: Visitor, monkeypatch: Any) -> None:
    monkeypatch.setattr("referral_rocket.dashboard.participants.imports.files.CHUNK", 2)
    made = files.checked(campaign, files.as_csv(("email",), [(f"no{number}",) for number in range(5)]))

    found = lines(marketer.get("participant_import_errors", made.pk))

    assert [line[2] for line in found[1:]] == [f"no{number}" for number in range(5)]


@pytest.mark.django_db(transaction=True)
def test_what_is_exported_can_be_imported(organization: Organization, campaign: Campaign, marketer: Visitor) -> None:
    ann = factories.participant(campaign, "Ann@example.com", name='=Ann, "A"\n', external_id="+u1")
    ben = factories.participant(campaign, "ben@example.com", referred_by=ann)
    factories.participant(campaign, "cid@example.com", referred_by=ben, name="'=Cid")
    with tenant(organization):
        Participant.objects.filter(pk=ben.pk).update(banned_at=ben.joined_at, ban_reason="x")
    exported = b"".join(marketer.get("participant_export").streaming_content)
    before = _as_they_are(campaign)
    with tenant(organization), connection.cursor() as cursor:
        cursor.execute("DELETE FROM participants_participant")
        cursor.execute("DELETE FROM participants_customer")

    made = files.imported(campaign, exported)

    assert (made.figures["created"], made.figures["wrong"]) == (3, 0)
    assert _as_they_are(campaign) == before


def _as_they_are(campaign: Campaign) -> dict[str, tuple[Any, ...]]:
    referred_by = files.referrals(campaign)
    return {
        email: (
            each.customer.email,
            each.customer.name,
            each.customer.external_id,
            each.referral_code,
            referred_by[email],
            each.joined_at.replace(microsecond=each.joined_at.microsecond // 1000 * 1000),
            each.banned_at is not None,
        )
        for email, each in files.people(campaign).items()
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"ann@example.com,Ann\r\n", "The first line has to name the columns"),
        (b'email\r\n"ann@example.com\r\n', "is never closed"),
        (b"email\r\na\0b\r\n", "NUL"),
    ],
)
def test_a_file_that_can_not_be_read_shows_why(
    organization: Organization, marketer: Visitor, content: bytes, message: str
) -> None:
    answer = uploaded(marketer, content)

    assert answer.status_code == 422
    assert message in text(answer)
    with tenant(organization):
        assert not ParticipantImport.objects.exists()


def test_the_separator_can_be_said(organization: Organization, marketer: Visitor) -> None:
    uploaded(marketer, b"e-mail, please;name\r\na@example.com;A\r\n", delimiter="semicolon")

    assert only(organization).columns == ["e-mail, please", "name"]


def test_without_the_column_of_the_e_mail_nothing_is_checked(
    organization: Organization, campaign: Campaign, marketer: Visitor
) -> None:
    uploaded(marketer, files.as_csv(("who", "what"), [("a", "b")]))
    made = only(organization)

    answer = marketer.post(
        "participant_import_columns", made.pk, **as_offered(marketer.get("participant_import_columns", made.pk))
    )

    assert answer.status_code == 422
    assert "Say which column is the E-mail." in text(answer)
    assert only(organization).status == ImportStatus.MAPPING


def test_a_campaign_of_others_can_not_be_chosen(
    organization: Organization, other_organization: Organization, campaign: Campaign, marketer: Visitor
) -> None:
    theirs = factories.campaign(other_organization)
    uploaded(marketer)
    made = only(organization)
    offered = as_offered(marketer.get("participant_import_columns", made.pk))

    answer = marketer.post("participant_import_columns", made.pk, **{**offered, "campaign": str(theirs.pk)})

    assert answer.status_code == 422
    assert only(organization).status == ImportStatus.MAPPING


def test_a_viewer_sees_what_happened_and_is_offered_nothing(
    organization: Organization, campaign: Campaign, marketer: Visitor
) -> None:
    uploaded(marketer)
    made = only(organization)
    files.map_as_guessed(campaign, made, date_format="MDY")
    files.work()
    viewer = member(organization, Role.VIEWER)

    seen = text(viewer.get("participant_import", made.pk))
    assert "As they would be" in seen
    for word in ("Import 2 participants", "Change columns", "Discard"):
        assert word not in seen
    assert "Import a file" not in text(viewer.get("participant_imports"))
    for name in ("start", "undo", "discard", "columns"):
        assert viewer.post(f"participant_import_{name}", made.pk).status_code == 403
    assert files.fresh(made).status == ImportStatus.CHECKED


def test_what_can_not_be_done_now_says_so(organization: Organization, campaign: Campaign, marketer: Visitor) -> None:
    uploaded(marketer)
    made = only(organization)

    marketer.post("participant_import_start", made.pk)

    assert "This can&#x27;t be done now" in text(marketer.get("participant_import", made.pk))
    assert files.fresh(made).status == ImportStatus.MAPPING


def test_nothing_yet_says_what_to_do(marketer: Visitor) -> None:
    assert "Nothing was imported yet" in text(marketer.get("participant_imports"))
    assert "Import a file" in text(marketer.get("participants"))


def test_the_number_of_queries_does_not_grow(organization: Organization, campaign: Campaign, marketer: Visitor) -> None:
    def content(number: int) -> bytes:
        rows = [(f"a{number}-{place}@example.com", "sharer@example.com") for place in range(number)]
        return files.as_csv(("email", "referred by"), [*rows, ("nobody", "")])

    factories.participant(campaign, "sharer@example.com")
    few, many = files.checked(campaign, content(1)), files.checked(campaign, content(30))
    assert marketer.queries("participant_import", few.pk) == marketer.queries("participant_import", many.pk)
    before = marketer.queries("participant_imports")
    files.upload(organization, content(2))
    assert marketer.queries("participant_imports") == before


def test_the_history_tells_who_did_what(organization: Organization, campaign: Campaign, marketer: Visitor) -> None:
    uploaded(marketer)
    made = only(organization)
    files.map_as_guessed(campaign, made, date_format="MDY")
    files.work()
    marketer.post("participant_import_start", made.pk)
    files.work()

    seen = re.sub(r"<[^>]+>", " ", text(marketer.get("participant_import", made.pk)))

    assert re.search(r"Import finished .* Referral Rocket \(import\) · 2 added", seen)
    assert re.search(r"Import started .* 2 rows", seen)
    with tenant(organization):
        assert Customer.objects.count() == 2


def test_the_log_links_to_nobody_who_was_removed(
    organization: Organization, campaign: Campaign, marketer: Visitor
) -> None:
    made = files.imported(campaign, FILE, date_format="MDY")
    ann = files.people(campaign)["ann@example.com"]
    address = marketer.url("participant", ann.pk)
    assert address in text(marketer.get("activity"))

    files.undone(made)

    log = text(marketer.get("activity"))
    assert "Participant removed" in log
    assert address not in log
