import pytest
from cryptography.fernet import Fernet

from referral_rocket.kit.encryption import (
    EncryptedJSONField,
    EncryptedTextField,
    UndecryptableSecret,
    decrypt,
    encrypt,
)

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture(autouse=True)
def _keys(settings):
    settings.ENCRYPTION_KEYS = [OLD]


def test_it_works():
    token = encrypt("sk_live_secret ä")

    assert "sk_live" not in token
    assert decrypt(token) == "sk_live_secret ä"


def test_the_same_text_is_never_the_same_token():
    assert encrypt("secret") != encrypt("secret")


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-4] + "AAAA",
        lambda token: token[:20],
        lambda token: "",
        lambda token: "plain text",
        lambda token: token + "ä",
    ],
    ids=range(5),
)
def test_a_bad_token_raises(change):
    """Losing a key must not look like an empty secret."""
    with pytest.raises(UndecryptableSecret):
        decrypt(change(encrypt("secret")))


def test_a_key_is_changed_by_putting_a_new_one_first(settings):
    token = encrypt("secret")

    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert decrypt(token) == "secret"
    renewed = encrypt("secret")
    settings.ENCRYPTION_KEYS = [NEW]
    assert decrypt(renewed) == "secret"
    with pytest.raises(UndecryptableSecret):
        decrypt(token)


@pytest.mark.parametrize("value", ["", "text", "nul-free ä 漢"])
def test_a_text_field_there_and_back(value):
    field = EncryptedTextField()

    assert field.from_db_value(field.get_prep_value(value), None, None) == value


@pytest.mark.parametrize("value", [{}, {"api_key": "sk_live_1"}, [], "text", 0, False])
def test_a_json_field_there_and_back(value):
    field = EncryptedJSONField()
    stored = field.get_prep_value(value)

    assert "sk_live" not in stored
    assert field.from_db_value(stored, None, None) == value


@pytest.mark.parametrize("field", [EncryptedTextField(), EncryptedJSONField()])
def test_nothing_stays_nothing(field):
    assert field.get_prep_value(None) is None
    assert field.from_db_value(None, None, None) is None
