"""The system checks name what is missing or unsafe, and what to do about it."""

import pytest
from django.core.checks import run_checks
from django.db import OperationalError, connection

from referral_rocket.checks import role_obeys_row_level_security, settings_are_set

LONG = "x" * 32


def ids(found):
    return [message.id for message in found]


@pytest.mark.django_db
def test_it_works():
    assert settings_are_set() == []
    assert role_obeys_row_level_security(databases=["default"]) == []
    assert not [message for message in run_checks(databases=["default"]) if message.id.startswith("rocket.")]


@pytest.mark.parametrize("secret", ["unset", "x" * 31])
def test_a_secret_key_that_is_missing_or_short(settings, secret):
    settings.SECRET_KEY = secret

    (message,) = settings_are_set()

    assert message.id == "rocket.E001"
    assert "SECRET_KEY" in message.msg
    assert "python -c" in message.hint


def test_no_encryption_key(settings):
    settings.ENCRYPTION_KEYS = []

    (message,) = settings_are_set()

    assert message.id == "rocket.E002"
    assert "ENCRYPTION_KEYS" in message.msg


@pytest.mark.parametrize("bad", ["", "short", "!" * 44, LONG])
def test_an_encryption_key_that_is_none_is_named_by_its_place(settings, bad):
    settings.ENCRYPTION_KEYS = [settings.ENCRYPTION_KEYS[0], bad]

    (message,) = settings_are_set()

    assert message.id == "rocket.E003"
    assert message.msg.startswith("Key 2 of ENCRYPTION_KEYS")
    assert not bad or bad not in message.msg


def test_everything_that_is_missing_is_named_at_once(settings):
    settings.SECRET_KEY, settings.ENCRYPTION_KEYS = "unset", []

    assert ids(settings_are_set()) == ["rocket.E001", "rocket.E002"]


class Role:
    """Answers the look at the role as a database with such a role would."""

    def __init__(self, row):
        self.row = row

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def execute(self, sql):
        assert "pg_roles" in sql

    def fetchone(self):
        return self.row


@pytest.mark.parametrize(("superuser", "bypasses"), [(True, False), (False, True), (True, True)])
def test_a_role_above_the_policies_is_refused_with_the_sql_that_mends_it(monkeypatch, superuser, bypasses):
    monkeypatch.setattr(connection, "cursor", lambda: Role(("postgres", superuser, bypasses)))

    (message,) = role_obeys_row_level_security(databases=["default"])

    assert message.id == "rocket.E004"
    assert 'ALTER ROLE "postgres" NOSUPERUSER NOBYPASSRLS;' in message.hint


def test_a_database_that_is_away_is_said_without_its_password(monkeypatch):
    def away():
        raise OperationalError("connection to postgres://rocket:secret@db failed")

    monkeypatch.setattr(connection, "cursor", away)

    (message,) = role_obeys_row_level_security(databases=["default"])

    assert message.id == "rocket.E005"
    assert "DATABASE_URL" in message.hint
    assert "secret" not in message.msg + message.hint


def test_the_database_is_not_asked_where_django_does_not_ask_for_it():
    assert role_obeys_row_level_security(databases=None) == []
