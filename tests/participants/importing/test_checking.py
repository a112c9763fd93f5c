"""The check says of each row what will become of it, and writes nothing of it."""

import pytest

from participants.importing.errors import ImportRefused
from participants.importing.models import Existing, ImportRow, ImportStatus, ParticipantImport
from participants.importing.services import import_discard
from participants.models import Customer, Participant
from referral_rocket.accounts.scoping import tenant
from tests import factories
from tests.participants.importing import files

pytestmark = pytest.mark.django_db

HEADER = ("id", "email", "code", "uid", "referred by", "joined")


def check(campaign, *rows, **choices):
    """`rows` are texts of cells by column, as `email=a@example.com code=x`."""
    cells = [tuple(dict(pair.split("=", 1) for pair in row.split()).get(name, "") for name in (
        "id", "email", "code", "uid", "by", "joined")) for row in rows]  # fmt: skip
    return files.checked(campaign, files.as_csv(HEADER, cells), **choices)


def found(made):
    return [problem or state for _, state, problem in files.rows(made)]


def test_it_works(organization, campaign, participant):
    made = check(
        campaign,
        "email=new@example.com",
        "email=Sharer@Example.com",
        "email=nobody",
        "email=friend@example.com by=new@example.com joined=2024-01-01",
    )

    assert made.status == ImportStatus.CHECKED
    assert files.rows(made) == [(2, "NEW", ""), (3, "EXISTING", ""), (4, "WRONG", "invalid_email"), (5, "NEW", "")]
    assert made.figures == {
        "new": 2,
        "existing": 1,
        "wrong": 1,
        "problems": [{"code": "invalid_email", "number": 1}],
        "referred": 1,
        "banned": 0,
        "past_window": 1,
    }
    with tenant(organization):
        assert (Customer.objects.count(), Participant.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (["uid=5"], ["no_email"]),
        (["email=a@example.com", "email=A@example.com"], ["NEW", "duplicate"]),
        (["email=a@example.com code=x1", "email=b@example.com code=X1"], ["NEW", "duplicate_code"]),
        (["email=a@example.com uid=1", "email=b@example.com uid=1"], ["NEW", "duplicate_id"]),
        (["email=a@example.com uid=taken"], ["id_taken"]),
        (["email=a@example.com code=no/way/é"], ["invalid_code"]),
        (["email=a@example.com code=MINE1234"], ["code_taken"]),
        (["email=a@example.com code=THEIRS12"], ["code_taken"]),
        (["email=sharer@example.com code=MINE1234"], ["EXISTING"]),
        (["email=a@example.com joined=yesterday"], ["invalid_date"]),
        (["email=a@example.com by=nobody@example.com"], ["unknown_referrer"]),
        (["email=a@example.com by=NOBODY"], ["unknown_referrer"]),
        (["email=a@example.com by=THEIRS12"], ["unknown_referrer"]),
        (["email=a@example.com by=no@body@"], ["unknown_referrer"]),
        (["email=a@example.com by=a@example.com"], ["self_referral"]),
        (["email=a@example.com code=own1 by=own1"], ["self_referral"]),
        (["id=7 email=a@example.com by=7"], ["self_referral"]),
        (["email=a@example.com by=b@example.com", "email=b@example.com by=a@example.com"], ["circle"] * 2),
        (
            [
                "email=a@example.com by=b@example.com",
                "email=b@example.com by=c@example.com",
                "email=c@example.com by=?",
            ],
            ["referrer_wrong", "referrer_wrong", "unknown_referrer"],
        ),
        (
            ["id=7 email=a@example.com", "id=7 email=b@example.com", "email=c@example.com by=7"],
            ["NEW", "NEW", "ambiguous_referrer"],
        ),
        (
            ["id=seven email=a@example.com", "code=seven email=b@example.com", "email=c@example.com by=seven"],
            ["NEW", "NEW", "ambiguous_referrer"],
        ),
        (["id=7 email=a@example.com", "email=c@example.com by=7"], ["NEW", "NEW"]),
        (["email=c@example.com by=MINE1234"], ["NEW"]),
    ],
)
def test_each_row_says_what_is_wrong(organization, campaign, participant, other_organization, rows, wanted):
    theirs = factories.participant(factories.campaign(other_organization))
    with tenant(other_organization):
        Participant.objects.filter(pk=theirs.pk).update(referral_code="THEIRS12")
    with tenant(organization):
        Participant.objects.filter(pk=participant.pk).update(referral_code="MINE1234")
        Customer.objects.filter(pk=participant.customer_id).update(external_id="taken")
        before = Participant.objects.count()

    made = check(campaign, *rows)

    assert found(made) == wanted
    assert all(bool(reason) for reason in files.reasons(made).values())
    with tenant(organization):
        assert Participant.objects.count() == before


def test_the_reason_names_line_and_code(campaign):
    made = check(campaign, "email=a@example.com code=x1", "email=b@example.com code=x1", "email=a@example.com")

    assert files.reasons(made) == {
        3: "The same referral code stands on line 2 already.",
        4: "The same e-mail address stands on line 2 already.",
    }


def test_a_row_with_more_values_than_the_header(campaign):
    made = files.checked(campaign, b"email,name\r\na@example.com,Ash, Ann\r\nb@example.com\r\n")

    assert files.rows(made) == [(2, "WRONG", "too_many_cells"), (3, "NEW", "")]


def test_who_is_left_alone_needs_no_right_referrer(campaign, participant):
    rows = ["email=sharer@example.com by=nobody@example.com"]

    assert found(check(campaign, *rows)) == ["EXISTING"]
    assert found(check(campaign, *rows, existing=Existing.FILL)) == ["unknown_referrer"]


def test_other_columns_may_be_said_until_it_is_begun(organization, campaign):
    made = check(campaign, "email=a@example.com code=no/é", "email=b@example.com")
    assert found(made) == ["invalid_code", "NEW"]

    files.map_as_guessed(campaign, made, mapping={"email": 1})
    files.work()
    made = files.fresh(made)

    assert found(made) == ["NEW", "NEW"]
    assert (made.figures["new"], made.figures["wrong"], made.done) == (2, 0, 2)
    files.start(made)
    with pytest.raises(ImportRefused):
        files.map_as_guessed(campaign, made)


@pytest.mark.parametrize(
    "choices",
    [{"mapping": {}}, {"mapping": {"name": 0}}, {"mapping": {"email": 99}}, {"mapping": {"email": 0, "x": 1}}, {"date_format": "?"}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(organization, campaign, choices):
    made = files.upload(organization, files.as_csv(HEADER, [["1", "a@example.com", "", "", "", ""]]))

    with pytest.raises(ImportRefused):
        files.map_as_guessed(campaign, made, **choices)

    assert files.fresh(made).status == ImportStatus.MAPPING


def test_nothing_to_import_is_not_begun(campaign):
    made = check(campaign, "email=nobody")

    with pytest.raises(ImportRefused, match="nobody in the file"):
        files.start(made)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("IMPORT_MAX_BYTES", 20, "MB are the most"), ("IMPORT_MAX_ROWS", 1, "more than 1 rows")],
)
def test_a_file_that_is_too_big_is_refused_and_leaves_nothing(organization, settings, name, value, message):
    setattr(settings, name, value)

    with pytest.raises(ImportRefused, match=message):
        files.upload(organization, files.as_csv(HEADER, [["", "a@example.com"], ["", "b@example.com"]]))

    with tenant(organization):
        assert (ParticipantImport.objects.count(), ImportRow.objects.count()) == (0, 0)


def test_a_line_that_can_not_be_read_refuses_the_file(organization):
    with pytest.raises(ImportRefused, match="line 3"):
        files.upload(organization, b'email\r\na@example.com\r\n"b"x@example.com\r\n')

    with tenant(organization):
        assert (ParticipantImport.objects.count(), ImportRow.objects.count()) == (0, 0)


def test_a_file_without_rows(organization):
    with pytest.raises(ImportRefused, match="no rows"):
        files.upload(organization, b"email,name\r\n\r\n")


def test_a_discarded_file_is_gone(organization, campaign):
    made = check(campaign, "email=a@example.com")

    with tenant(organization):
        import_discard(participant_import=made, actor=factories.ACTOR)
        assert not ImportRow.objects.exists()

    with pytest.raises(ImportRefused):
        files.start(made)
    assert files.fresh(made).status == ImportStatus.DISCARDED
