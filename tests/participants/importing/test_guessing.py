"""Columns of other programs' exports are recognised by their names, codes and dates by their forms."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from participants.importing.cells import code_in, plain
from participants.importing.dates import FORMATS, NoDate, guessed_format, parse_date
from participants.importing.fields import FIELDS, guessed_mapping, left_out, source_of

# The columns of exports, as docs/moving-here.md tells where they are from; and what each is taken for.
EXPORTS = {
    "Dub Partners": (
        ["ID", "Name", "Email", "Country", "Status", "Enrolled at", "Payouts enabled at", "Clicks", "Leads", "Conversions", "Commissions"],
        {"key": "ID", "name": "Name", "email": "Email", "status": "Status", "joined_at": "Enrolled at"},
    ),
    "Rewardful": (
        ["id", "email", "first_name", "last_name", "state", "token", "paypal_email", "created_at", "visitors", "leads", "conversions"],
        {"key": "id", "email": "email", "name": "first_name", "last_name": "last_name", "status": "state", "code": "token", "paypal": "paypal_email", "joined_at": "created_at"},
    ),
    "FirstPromoter": (
        ["id", "email", "cust_id", "ref_id", "parent_promoter_id", "state", "created_at", "referral_link"],
        {"key": "id", "email": "email", "external_id": "cust_id", "code": "ref_id", "referrer": "parent_promoter_id", "status": "state", "joined_at": "created_at"},
    ),
    "GrowSurf": (
        ["id", "firstName", "lastName", "email", "referralCount", "referredBy", "shareUrl", "createdAt"],
        {"key": "id", "name": "firstName", "last_name": "lastName", "email": "email", "referrer": "referredBy", "code": "shareUrl", "joined_at": "createdAt"},
    ),
    "Friendbuy": (
        ["Friend Email", "Friend Name", "Advocate Email", "Advocate Name", "Referral Date"],
        {"email": "Friend Email", "name": "Friend Name", "referrer": "Advocate Email", "joined_at": "Referral Date"},
    ),
    "Tolt": (
        ["First name", "Last name", "Email", "Status", "Referral link", "Payout method", "Payout email", "Country", "Created at"],
        {"name": "First name", "last_name": "Last name", "email": "Email", "status": "Status", "code": "Referral link", "paypal": "Payout email", "joined_at": "Created at"},
    ),
    "Referral Rocket": (
        ["participant_id", "customer_id", "external_id", "name", "email", "campaign", "referral_code", "referred_by", "joined_at", "referrals", "events", "earned", "banned_at"],
        {"external_id": "external_id", "name": "name", "email": "email", "code": "referral_code", "referrer": "referred_by", "joined_at": "joined_at", "status": "banned_at"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_it_works(name):
    columns, wanted = EXPORTS[name]

    mapping = guessed_mapping(columns)

    assert {field: columns[place] for field, place in mapping.items()} == wanted
    assert source_of(columns) == name


def test_a_column_is_one_field():
    columns = ["Email", "E-mail", "Nothing", "Referrer Email"]

    mapping = guessed_mapping(columns)

    assert len(set(mapping.values())) == len(mapping)
    assert left_out(columns, mapping) == ["E-mail", "Nothing"]
    assert source_of(columns) == ""


def test_names_are_looked_for_in_their_one_form():
    for field in FIELDS:
        assert list(field.names) == [name.lower().replace("-", " ").strip() for name in field.names], field.name


@pytest.mark.parametrize("column", ["Ref Code", "ref_code", "RefCode", "Referral Code"])
def test_a_column_of_codes(column):
    assert guessed_mapping(["Email", column])["code"] == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("jane", "JANE"),
        (" Jane-Doe_1.x~ ", "JANE-DOE_1.X~"),
        ("https://acme.example/?via=jane", "JANE"),
        ("https://acme.example/pricing?utm_source=a&fpr=jane#top", "JANE"),
        ("acme.example/?grsf=a1b2c3", "A1B2C3"),
        ("https://refer.example/jane/", "JANE"),
        ("https://fbuy.example/x/EzcW", "EZCW"),
        ("https://acme.example/?partner=jane", "JANE"),
        ("j", ""),
        ("jané", ""),
        ("two words", ""),
        ("x" * 33, ""),
        ("-jane", ""),
        ("https://acme.example/", ""),
        ("http://[", ""),
    ],
)
def test_a_code_or_the_one_in_a_link(text, code):
    assert code_in(text) == code


@pytest.mark.parametrize(
    ("cell", "text"), [(" a ", "a"), ("'=1+1", "=1+1"), ("=1+1", "=1+1"), ("'+49", "+49"), ("'tis", "'tis"), ("'", "'")]
)
def test_what_an_export_guards_is_read_as_it_was(cell, text):
    assert plain(cell) == text


NOON = datetime(2024, 1, 31, 12, 30, tzinfo=UTC)
DAY = datetime(2024, 1, 30, 23, tzinfo=UTC)  # midnight of the 31st in Berlin


@pytest.mark.parametrize(
    ("date_format", "text", "moment"),
    [
        ("ISO", "2024-01-31", DAY),
        ("ISO", "2024/01/31", DAY),
        ("ISO", "2024-01-31T12:30:00Z", NOON),
        ("ISO", "2024-01-31 12:30:00 UTC", NOON),
        ("ISO", "2024-01-31 07:30:00 -0500", NOON),
        ("MDY", "01/31/2024", DAY),
        ("MDY", "1/31/2024 1:30 PM", NOON),
        ("DMY", "31.01.2024", DAY),
        ("DMY", "31/1/2024 13:30", NOON),
        ("WORDS", "Jan 31, 2024", DAY),
        ("WORDS", "31 January 2024", DAY),
        ("WORDS", "Wed, 31 Jan 2024 13:30:00", NOON),
        ("EPOCH", "1706704200", NOON),
        ("EPOCH", "1706704200000", NOON),
    ],
)
def test_dates(date_format, text, moment):
    assert parse_date(text, date_format, ZoneInfo("Europe/Berlin")) == moment
    assert guessed_format([text, ""]) == date_format


@pytest.mark.parametrize("text", ["", "soon", "2024-02-30", "31/31/2024", "13:00", "1/2/24", "99999999999999999999"])
@pytest.mark.parametrize("date_format", FORMATS)
def test_what_is_no_date(date_format, text):
    with pytest.raises(NoDate):
        parse_date(text, date_format, UTC)


@pytest.mark.parametrize(
    ("samples", "date_format"),
    [
        (["01/02/2024", "01/31/2024"], "MDY"),
        (["01/02/2024", "31/01/2024"], "DMY"),
        (["01/02/2024"], "MDY"),
        (["01.02.2024"], "DMY"),
        ([], "ISO"),
        (["whatever"], "ISO"),
    ],
)
def test_the_format_is_guessed_from_all_samples(samples, date_format):
    assert guessed_format(samples) == date_format
