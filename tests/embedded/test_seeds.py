"""A run of the tests begins with a copy of a PostgreSQL folder that is migrated already."""

import shutil
from pathlib import Path

import psycopg
import pytest

from embedded import seeds
from embedded.places import service_home
from embedded.seeds import DATABASE, KEPT, seed, services_for_tests
from embedded.throwaway import services

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def another_state(monkeypatch: pytest.MonkeyPatch) -> Path:
    """As after a change of the migrations; nothing migrates in earnest."""
    monkeypatch.setattr(seeds, "_checksum", lambda: "0123456789abcdef")
    monkeypatch.setattr(seeds, "_migrate", lambda server: None)
    wanted = service_home() / "seed-0123456789abcdef"
    yield wanted
    shutil.rmtree(wanted, ignore_errors=True)


def migrations_in(address: str) -> int:
    with psycopg.connect(address) as connection:
        row = connection.execute("SELECT count(*) FROM django_migrations").fetchone()
        assert row is not None
        return int(row[0])


def test_it_works() -> None:
    with services_for_tests() as addresses:
        assert addresses["TEST_DATABASE_TEMPLATE"] == DATABASE
        migrated = migrations_in(addresses["DATABASE_URL"].rpartition("/")[0] + f"/{DATABASE}")
        assert migrated > 30


def test_each_run_has_a_password_and_data_of_its_own() -> None:
    with services(seed=seed()) as first, services(seed=seed()) as second:
        assert first["DATABASE_URL"] != second["DATABASE_URL"]
        with psycopg.connect(first["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("CREATE TABLE only_here ()")
        with psycopg.connect(second["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)


def test_it_is_made_once(another_state: Path) -> None:
    made = seed().stat().st_ino
    assert seed().stat().st_ino == made
    assert another_state.is_dir()


def test_old_ones_go(another_state: Path) -> None:
    seed()
    assert len(list(service_home().glob("seed-*"))) <= KEPT


def test_a_given_database_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somewhere/else")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere/0")
    with services_for_tests() as addresses:
        assert addresses == {}
