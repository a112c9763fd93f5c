"""A PostgreSQL folder that is migrated already, from which each run of the tests begins.

Setting a cluster up and migrating it takes most of the time of a short test run, and comes out the same every time. So
it is done once for each state of the migrations, kept in the clone's service home, and copied. Django still migrates
what it gets (TEST_DATABASE_TEMPLATE), so a seed can save time and never decide anything.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from embedded.places import PROJECT, service_home
from embedded.postgres import Postgres
from embedded.throwaway import postgres_in, run, run_folder, services, test_environment

# The database in a seed; Django copies it for each of its test databases.
DATABASE = "rocket_seed"
# One for the branch that is worked on and one for where it came from.
KEPT = 2
_NAME = "seed-"


class SeedFailed(Exception):
    """The migrations didn't run; their words are above."""


@contextmanager
def services_for_tests() -> Iterator[dict[str, str]]:
    """Like `services`, with a PostgreSQL that is migrated already where the environment names none."""
    if os.environ.get("DATABASE_URL"):
        with services() as addresses:
            yield addresses
        return
    with services(seed=seed()) as addresses:
        yield addresses | {"TEST_DATABASE_TEMPLATE": DATABASE}


def seed() -> Path:
    """The data folder to copy, made if need be. Two runs at once each make one, and the first one's is kept."""
    home = service_home()
    wanted = home / f"{_NAME}{_checksum()}"
    if not wanted.exists():
        _make(home, wanted)
        _tidy(home)
    os.utime(wanted)
    return wanted / "data"


def _checksum() -> str:
    sources = [
        *PROJECT.glob("*/migrations/*.py"),
        *PROJECT.glob("*/*/migrations/*.py"),
        PROJECT / "referral_rocket/accounts/tenancy.py",
        PROJECT / "requirements/base.txt",
        PROJECT / "embedded/postgres.py",
    ]
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(f"{path.relative_to(PROJECT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _make(home: Path, wanted: Path) -> None:
    with run_folder() as folder:
        with postgres_in(folder) as server:
            _migrate(server)
        # The server has ended, so its folder is whole. It gets its name at once or not at all.
        aside = Path(tempfile.mkdtemp(prefix=f"new-{_NAME}", dir=home))
        server.data.rename(aside / "data")
    try:
        aside.rename(wanted)
    except OSError:
        shutil.rmtree(aside)


def _migrate(server: Postgres) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    environment = (
        test_environment()
        # Settings ask for one, and nothing is said to it.
        | {"REDIS_URL": "redis://127.0.0.1:1/0"}
        | dict(os.environ)
        | {"DATABASE_URL": server.url_of(DATABASE)}
    )
    command = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
    if run(command, environment) != 0:
        raise SeedFailed


def _tidy(home: Path) -> None:
    seeds = sorted(home.glob(f"{_NAME}*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in seeds[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
