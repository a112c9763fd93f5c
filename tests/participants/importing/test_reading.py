"""Any table that a CSV writer wrote, in what is supported, is read back as it was; what isn't is refused with its line."""

import codecs
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from participants.importing.reading import Unreadable, read_table

ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "cp1252": b"",
}


def written(table, encoding="utf-8", delimiter=",", quoting=csv.QUOTE_MINIMAL, ending="\r\n"):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=ending).writerows(table)
    return ENCODINGS[encoding] + text.getvalue().encode(encoding)


def read(content, delimiter=None):
    table = read_table(io.BytesIO(content), delimiter)
    return table, [list(table.columns), *(cells for _, cells in table.rows)]


def not_blank(cells):
    return any(cell.strip() for cell in cells)


def test_it_works():
    table, found = read(written([["name", "e-mail"], ["Ann\r\nAsh", 'a"b;c,d@example.com'], [], ["=1+1", "Zoë"]]))

    assert (table.encoding_name, table.delimiter) == ("UTF-8", ",")
    assert found == [["name", "e-mail"], ["Ann\r\nAsh", 'a"b;c,d@example.com'], ["=1+1", "Zoë"]]


texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
)  # NUL and lone surrogates are no text in any of the encodings
latin = st.text(st.sampled_from("abc xyz\"',;\t\r\n€éßÿ=+-@"), max_size=12)


@given(
    data=st.data(),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    delimiter=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ending=st.sampled_from(["\r\n", "\n"]),
    width=st.integers(2, 4),
)
def test_what_a_writer_wrote_is_read_back(data, encoding, delimiter, quoting, ending, width):
    cells = latin if encoding == "cp1252" else texts
    rows = data.draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=5))
    header = [f"column {place} é" for place in range(width)]

    if ending == "\n":
        # Before Python 3.13 its writer leaves a lone \r unquoted with this ending: no reader can tell that from a line's end.
        quoting = csv.QUOTE_ALL

    content = written([header, *rows], encoding, delimiter, quoting, ending)

    table, found = read(content)
    assert found == [header, *filter(not_blank, rows)]
    assert table.delimiter == delimiter


@given(
    table=st.lists(st.lists(texts, min_size=1, max_size=3), min_size=1, max_size=4), delimiter=st.sampled_from(",;\t")
)
def test_with_the_delimiter_given_any_header_is_fine(table, delimiter):
    header = ["any", *(f"{cell}x" for cell in table[0] if "@" not in cell)]
    try:
        _, found = read(written([header, *table], delimiter=delimiter), delimiter)
    except Unreadable as refused:
        # The one thing that a first line may not be: data. (`@` was taken out, `sep=` isn't at its beginning.)
        raise AssertionError(str(refused)) from refused
    assert found[1:] == list(filter(not_blank, table))


def test_lines_are_those_of_the_file():
    table = read_table(io.BytesIO(b'a,b\r\n\r\n"x\ny\nz",1\r\n\r\nlast,2'))

    assert [line for line, _ in table.rows] == [3, 7]


def test_the_line_by_which_excel_names_the_delimiter():
    table, found = read(b"sep=;\r\nname;e-mail\r\nAnn;a@example.com\r\n")

    assert (table.delimiter, found) == (";", [["name", "e-mail"], ["Ann", "a@example.com"]])


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (b"Name,Name,name,", ["Name", "Name (2)", "name", "Column 4"]),
        (b'"First\nname",  E-mail ', ["First name", "E-mail"]),
        (b"alone", ["alone"]),
    ],
)
def test_columns_have_each_a_name_of_its_own(header, columns):
    assert list(read_table(io.BytesIO(header + b"\r\n1,2,3,4\r\n")).columns) == columns


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\r\n \r\n", "is empty"),
        (b"ann@example.com,Ann\r\nben@example.com,Ben\r\n", "has to name the columns"),
        (b"name,e-mail\r\nAnn\0,a@example.com\r\n", "Line 2 has a NUL"),
        ("name,e-mail\r\nAnn,a@example.com".encode("utf-16-le"), "Line 1 has a NUL"),
        (b"name\r\nZo\x81\r\n", "neither UTF-8 nor UTF-16 nor Windows-1252"),
        (codecs.BOM_UTF8 + b"name\r\nZo\xeb\r\n", "says that it is UTF-8"),
        (codecs.BOM_UTF16_LE + b"n\0a\0m\0e\0", None),
        (codecs.BOM_UTF16_LE + b"\x00\xd8x", "says that it is UTF-16"),
        (
            b'name,e-mail\r\n"Ann,a@example.com\r\nBen,b@example.com\r\n',
            "quotation mark on line 2 or after it is never",
        ),
        (b'name,e-mail\r\n"Ann" Ash,a@example.com\r\n', "On line 2 a quotation mark stands inside"),
        (b",".join([b"x"] * 201) + b"\r\n", "201 columns"),
    ],
)
def test_what_can_not_be_read_is_refused_with_the_reason(content, message):
    if message is None:
        assert read(content)[1] == [["name"]]
        return
    with pytest.raises(Unreadable, match=message):
        read(content)


def test_windows_1252_is_recognised():
    table, found = read("name\r\nZoë €\r\n".encode("cp1252"))

    assert (table.encoding_name, found[1]) == ("Windows-1252", ["Zoë €"])
