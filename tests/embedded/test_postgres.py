"""The embedded PostgreSQL server, from an empty folder and from what a crash left."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from embedded.places import service_account
from embedded.ports import free_port
from embedded.postgres import Postgres, PostgresFailed
from embedded.processes import Record, family, wait_until_gone
from embedded.throwaway import run_folder

pytestmark = pytest.mark.process


@pytest.fixture
def server() -> Iterator[Postgres]:
    with run_folder() as folder:
        prepared = Postgres(folder / "postgres", free_port(), "secret" * 4, durable=False)
        prepared.prepare()
        yield prepared


@contextmanager
def started(server: Postgres) -> Iterator[subprocess.Popen[bytes]]:
    account = service_account()
    process = subprocess.Popen(
        server.command(),
        cwd="/",
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **(account.for_subprocess() if account else {}),
    )
    try:
        server.wait_until_ready(30, alive=lambda: process.poll() is None)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def kill_with_children(process: subprocess.Popen[bytes], server: Postgres) -> None:
    members = family(Record(process.pid, " ".join(server.command())))
    for member in members:
        os.kill(member.pid, signal.SIGKILL)
    process.wait()
    assert wait_until_gone(members, 10) == []


def test_it_works(server: Postgres) -> None:
    with started(server), psycopg.connect(server.url) as connection:
        row = connection.execute("SELECT current_user, current_database(), 1 + 1").fetchone()

    assert row == ("rocket", "rocket", 2)


def test_the_role_is_no_superuser_and_minds_row_level_security(server: Postgres) -> None:
    with started(server), psycopg.connect(server.url) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()

    assert row == (False, False, True, False)


def test_nobody_can_log_in_as_the_superuser(server: Postgres) -> None:
    superuser = server.url.replace("postgres://rocket:", "postgres://postgres:")

    with started(server), pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(superuser)


def test_a_wrong_password_is_refused(server: Postgres) -> None:
    with started(server), pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(replace(server, password="wrong").url)


def test_it_starts_again_on_the_same_data(server: Postgres) -> None:
    with started(server), psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    again = replace(server, port=free_port())
    again.prepare()
    with started(again), psycopg.connect(again.url) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()

    assert row == (42,)


def test_it_starts_again_after_everything_was_killed(server: Postgres) -> None:
    durable = replace(server, durable=True)
    with started(durable) as process, psycopg.connect(durable.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        connection.commit()
        kill_with_children(process, durable)
    assert (durable.data / "postmaster.pid").exists()

    with started(durable), psycopg.connect(durable.url) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()

    assert row == (42,)


def test_a_preparation_that_was_killed_half_way_is_begun_anew(server: Postgres) -> None:
    server.data.rename(server.folder / "data.unfinished")

    server.prepare()

    assert not (server.folder / "data.unfinished").exists()
    with started(server), psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_that_fails_in_the_preparation_is_not_passed_over(tmp_path: Path) -> None:
    with run_folder() as folder:
        broken = Postgres(folder / "postgres", free_port(), "it's", durable=False)

        with pytest.raises(PostgresFailed, match=r"only letters and digits"):
            broken.prepare()

        assert not broken.data.exists()


def test_it_never_runs_as_root(server: Postgres) -> None:
    account = service_account()

    with started(server) as process:
        owner = Path(f"/proc/{process.pid}").stat().st_uid

    assert owner == (account.uid if account else os.geteuid())
    assert owner != 0
