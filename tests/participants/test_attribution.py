import pytest

from participants.attribution import CODE_ALPHABET, InvalidEmail, email_key, new_code, normalised_code


def test_it_works():
    assert email_key(" Ann@Example.COM ") == "ann@example.com"


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("a.b@example.com", "a.b@example.com"),
        ("a+tag@example.com", "a+tag@example.com"),
        ("ann@münchen.de", "ann@xn--mnchen-3ya.de"),
        ("ann@XN--MNCHEN-3YA.de", "ann@xn--mnchen-3ya.de"),
        ("ÄNN@example.com", "änn@example.com"),
        ("ann@mail.internal", "ann@mail.internal"),
    ],
)
def test_one_person_has_one_key(typed, key):
    assert email_key(typed) == key
    assert email_key(key) == key


@pytest.mark.parametrize(
    "typed",
    ["", " ", "ann", "@example.com", "ann@", "a b@example.com", "ann@@example.com", "ann@exa mple.com", "x" * 400],
)
def test_what_is_no_address(typed):
    with pytest.raises(InvalidEmail):
        email_key(typed)


def test_a_code_is_easy_to_read_out():
    codes = {new_code() for _ in range(500)}

    assert len(codes) == 500
    assert all(len(code) == 8 and set(code) <= set(CODE_ALPHABET) for code in codes)
    assert not set("01OIL") & set(CODE_ALPHABET)


def test_a_code_may_be_typed_in_any_case():
    assert normalised_code(" k7qf2m9p ") == "K7QF2M9P"
    assert normalised_code("K7\0QF") == "K7\ufffdQF"
