"""The files that a person uploads at PayPal and Wise, and the reports that come back."""

import csv
import io
from uuid import UUID, uuid4

import pytest

from integrations.base import FileRow, IssueOutcome, Recipient
from integrations.checks import columns_are_known
from integrations.errors import ProviderRejected, UnreadableFile
from integrations.payment_files import DANGEROUS, harmless
from integrations.providers.paypal.payment_file import PayPalFile
from integrations.providers.wise.payment_file import COLUMNS, WiseFile

SAVED = ["recipientId", "name", "recipientEmail", "amount", "sourceCurrency", "targetCurrency", "paymentReference"]
STATEMENT = (
    'ID,Status,Direction,"Created on","Finished on","Source fee amount","Source fee currency","Target fee amount",'
    '"Target fee currency","Source name","Source amount (after fees)","Source currency","Target name",'
    '"Target amount (after fees)","Target currency","Exchange rate",Reference,Batch'
)
EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")']


def row(number: int = 1, **fields) -> FileRow:
    values = {
        "key": f"{number:026d}".replace("0", "a"), "reward_id": UUID(int=number), "amount": 1200, "currency": "USD",
        "recipient": Recipient(f"friend{number}@example.com", f"Friend Number{number}"), "note": "Reward from Friends",
    }  # fmt: skip
    return FileRow(**{**values, **fields})


def cells(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_it_works():
    assert cells(PayPalFile().write([row(1), row(2, amount=5, note="Thanks, friend")])) == [
        ["friend1@example.com", "12.00", "USD", row(1).key, "Reward from Friends", "PAYPAL"],
        ["friend2@example.com", "0.05", "USD", row(2).key, "Thanks, friend", "PAYPAL"],
    ]


def test_wises_file_by_email():
    assert cells(WiseFile().write([row(1, currency="EUR")])) == [
        ["name", "recipientEmail", "amount", "sourceCurrency", "targetCurrency", "amountCurrency", "type"],
        ["Friend Number1", "friend1@example.com", "12.00", "EUR", "EUR", "EUR", "EMAIL"],
    ]


def test_wises_file_for_saved_recipients(settings):
    settings.WISE_FILE_COLUMNS = SAVED
    saved = row(1, recipient=Recipient("friend1@example.com", "Friend Number1", "40000000"))

    assert cells(WiseFile().write([saved])) == [
        SAVED, ["40000000", "Friend Number1", "friend1@example.com", "12.00", "USD", "USD", saved.key]
    ]  # fmt: skip
    assert WiseFile().refusal(saved) is None
    assert WiseFile().refusal(row(2)).code == "invalid_recipient"


def test_columns_that_wise_doesnt_have_are_told_at_the_start(settings):
    settings.WISE_FILE_COLUMNS = ["name", "nmae"]

    (error,) = columns_are_known()

    assert "nmae" in error.msg
    settings.WISE_FILE_COLUMNS = list(COLUMNS)
    assert columns_are_known() == []


@pytest.mark.parametrize("evil", EVIL)
def test_no_cell_is_run_by_a_spreadsheet(evil, settings):
    files = [PayPalFile().write([row(note=evil)])]
    for columns in ([], list(COLUMNS)):
        settings.WISE_FILE_COLUMNS = columns
        named = row(recipient=Recipient("friend@example.com", f"{evil} Friend", "40000000"), note=evil)
        files.append(WiseFile().write([named]))

    for content in files:
        for line in cells(content):
            assert not [cell for cell in line if cell.startswith(DANGEROUS)]


@pytest.mark.parametrize(
    "evil", ["=1+1@example.com", "+1@example.com", "-x@example.com", "@example.com", "a\t@example.com"]
)
def test_an_address_that_would_have_to_be_changed_is_refused(evil):
    for file in (PayPalFile(), WiseFile()):
        refused = file.refusal(row(recipient=Recipient(evil, "A Friend")))

        assert (refused.outcome, refused.sent, refused.code) == (IssueOutcome.WAITING, False, "invalid_recipient")


def as_a_spreadsheet_opens_it(content: bytes) -> set[str]:
    """Every cell, whichever separator the country's settings make of the file: quotes count where a cell begins."""
    text = content.decode()
    return {
        cell
        for separator in (",", ";", "\t", "|")
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in line
    }


@pytest.mark.parametrize(
    "lead", ["=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
@pytest.mark.parametrize(
    "before", ["", "Friends;", "Friends|", "Friends\t", 'Friends";"', "Friends\n", "Friends,", "'"]
)
def test_no_formula_runs_however_the_file_is_opened(lead, before, settings):
    evil = f"{before}{lead}HYPERLINK(1)"
    written_files = [PayPalFile().write([row(note=evil)])]
    for columns in ([], list(COLUMNS)):
        settings.WISE_FILE_COLUMNS = columns
        named = row(recipient=Recipient("friend@example.com", f"{evil} Friend", "40000000"), note=evil)
        written_files.append(WiseFile().write([named]))

    for content in written_files:
        cells_shown = as_a_spreadsheet_opens_it(content)
        assert not [cell for cell in cells_shown if cell.lstrip(" ").startswith(DANGEROUS)]


def test_an_address_that_another_separator_would_part_is_refused():
    for file in (PayPalFile(), WiseFile()):
        refused = file.refusal(row(recipient=Recipient("a;=1+1@example.com", "A Friend")))
        assert (refused.sent, refused.code) == (False, "invalid_recipient")


def test_an_opened_file_looks_as_it_was_meant():
    assert harmless("Reward from Friends & Family") == "Reward from Friends & Family"
    assert harmless("=1+1") == "'=1+1"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"recipient": Recipient(None)}, "invalid_recipient"),
        ({"recipient": Recipient("x" * 120 + "@example.com")}, "invalid_recipient"),
        ({"currency": "INR"}, "currency_mismatch"),
    ],
)
def test_what_paypals_file_cant_carry(fields, code):
    refused = PayPalFile().refusal(row(**fields))

    assert (refused.outcome, refused.sent, refused.code) == (IssueOutcome.WAITING, False, code)
    assert PayPalFile().refusal(row()) is None


def test_half_a_forint_isnt_written():
    assert isinstance(PayPalFile().refusal(row(currency="HUF", amount=1250)), ProviderRejected)


def test_the_limits_are_the_providers():
    assert (PayPalFile().maximum_rows, PayPalFile().one_currency) == (5000, True)
    assert (WiseFile().maximum_rows, WiseFile().one_currency) == (1000, False)
    assert len(row().key) <= 30


def test_the_same_rows_give_the_same_bytes():
    rows = [row(number) for number in range(1, 50)]

    for file in (PayPalFile(), WiseFile()):
        assert file.write(rows) == file.write(rows)


# Results ---------------------------------------------------------------------------------------------------------

ACTIVITY = "Date,Time,Name,Type,Status,Currency,Gross,To Email Address,Transaction ID,Custom Number\r\n"


def activity(*lines: tuple[str, str]) -> str:
    return ACTIVITY + "".join(
        f'24/11/2026,10:00:00,"Friend, A",Mass Payment,{status},USD,"-12,00",x@example.com,T{place},{key}\r\n'
        for place, (status, key) in enumerate(lines)
    )


def outcomes(results) -> dict:
    return {key: (result.outcome, result.code) for key, result in results.items()}


def test_paypals_report_marks_each_row():
    rows = [row(number) for number in range(1, 7)]
    report = activity(
        ("Completed", rows[0].key), ("Unclaimed", rows[1].key), ("Returned", rows[2].key), ("Denied", rows[3].key.upper()),
        ("Completed", uuid4().hex[:26]), ("Held", rows[4].key),
    )  # fmt: skip

    results = PayPalFile().read_results(report.encode(), rows)

    assert outcomes(results) == {
        rows[0].key: (IssueOutcome.SUCCEEDED, None),
        rows[1].key: (IssueOutcome.WAITING, "unclaimed"),
        rows[2].key: (IssueOutcome.RETURNED, "invalid_recipient"),
        rows[3].key: (IssueOutcome.RETURNED, "rejected_by_provider"),
        rows[4].key: (IssueOutcome.WAITING, "on_hold"),
    }
    assert results[rows[0].key].provider_reference == "T0"
    assert all(result.sent for result in results.values())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("Friend", "Fréund").encode("cp1252"),
        lambda text: text.replace('"Friend, A"', "A").replace(',"-12,00",', ",-12.00,").replace(",", ";").encode(),
        lambda text: text.replace('"Friend, A"', "A").replace(',"-12,00",', ",-12.00,").replace(",", "\t").encode(),
        lambda text: ("Report of a mass payment\r\n\r\n" + text).encode(),
        lambda text: text.replace("\r\n", "\n").encode(),
    ],
)
def test_a_report_is_read_however_it_was_saved(spoil):
    first = row(1)

    results = PayPalFile().read_results(spoil(activity(("Completed", first.key))), [first])

    assert outcomes(results) == {first.key: (IssueOutcome.SUCCEEDED, None)}


def test_a_log_without_a_header():
    first = row(1)
    log = f"friend1@example.com\t12.00\tUSD\t{first.key}\tUNCLAIMED\n"

    assert outcomes(PayPalFile().read_results(log.encode(), [first])) == {
        first.key: (IssueOutcome.WAITING, "unclaimed")
    }


@pytest.mark.parametrize("order", [1, -1])
def test_a_payment_that_came_back_is_back_in_whatever_order_it_is_told(order):
    first = row(1)
    lines = [("Completed", first.key), ("Returned", first.key)][::order]

    assert (
        outcomes(PayPalFile().read_results(activity(*lines).encode(), [first]))[first.key][0] == IssueOutcome.RETURNED
    )


@pytest.mark.parametrize("content", [b"", b"\r\n", b"PK\x03\x04rest of a workbook", b"\0\1\2\3", activity().encode()])
@pytest.mark.parametrize("file", [PayPalFile(), WiseFile()], ids=["paypal", "wise"])
def test_what_is_no_report_is_refused(file, content):
    with pytest.raises(UnreadableFile) as caught:
        file.read_results(content, [row(1)])

    assert caught.value.message


def statement(*lines: tuple[str, str, str, str]) -> bytes:
    rows = [
        f'TRANSFER-{1000 + place},{status},OUT,"2026-11-24 10:00:00","2026-11-24 10:01:00",0.50,EUR,,,Rocket,11.00,EUR,'
        f'"{name}",{amount},USD,1.1,{reference},'
        for place, (status, name, amount, reference) in enumerate(lines)
    ]
    return "\n".join([STATEMENT, *rows]).encode()


def test_wises_statement_by_reference():
    rows = [row(1), row(2)]
    content = statement(("COMPLETED", "Whoever", "12.0", rows[0].key), ("REFUNDED", "Whoever", "12.0", rows[1].key))

    results = WiseFile().read_results(content, rows)

    assert outcomes(results) == {
        rows[0].key: (IssueOutcome.SUCCEEDED, None), rows[1].key: (IssueOutcome.RETURNED, "invalid_recipient")
    }  # fmt: skip
    assert results[rows[0].key].provider_reference == "1000"


def test_wises_statement_by_person_and_amount():
    rows = [row(1), row(2), row(3, amount=1250)]
    content = statement(
        ("COMPLETED", "friend number1", "12.00", ""), ("COMPLETED", "Friend Number3", "12.50", ""),
        ("COMPLETED", "Friend Number2", "99.00", ""), ("COMPLETED", "Somebody Else", "12.00", ""),
    )  # fmt: skip

    assert set(WiseFile().read_results(content, rows)) == {rows[0].key, rows[2].key}


def test_what_could_be_two_rewards_is_taken_for_neither():
    twins = [row(1), row(2, recipient=Recipient("other@example.com", "Friend Number1")), row(3)]
    content = statement(("COMPLETED", "Friend Number1", "12.00", ""), ("COMPLETED", "Friend Number3", "12.00", ""))

    assert set(WiseFile().read_results(content, twins)) == {twins[2].key}


def test_two_payments_that_look_like_one_reward_are_taken_for_none():
    content = statement(
        ("COMPLETED", "Friend Number1", "12.00", ""), ("CANCELLED", "Friend Number1", "12.00", ""),
        ("COMPLETED", "Friend Number2", "12.00", ""),
    )  # fmt: skip

    assert set(WiseFile().read_results(content, [row(1), row(2)])) == {row(2).key}


def test_lines_of_nothing_in_the_batch_are_told_with_their_numbers():
    first = row(1)
    other = uuid4().hex[:26]
    report = "Report\r\n\r\n" + activity(("Completed", first.key), ("Completed", other), ("Whatever", first.key))

    unknown = PayPalFile().unknown_lines(report.encode(), [first])
    assert [line.number for line in unknown] == [5, 6]
    assert unknown[0].shown.endswith(f"T1 · {other}")
    content = statement(("COMPLETED", "Friend Number1", "12.00", ""), ("COMPLETED", "=Evil()", "12.00", ""))
    (line,) = WiseFile().unknown_lines(content, [first])
    assert (line.number, "=Evil()" in line.shown) == (3, True)
