"""Services for one run, also when that run or the one before it was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from embedded.places import PROJECT, service_home
from embedded.processes import read_record, still_runs
from embedded.throwaway import OWNER, RUN, postgres_in, run_folder, services, valkey_in

pytestmark = pytest.mark.process

WAITING = "import os, time; print(os.environ['DATABASE_URL'], flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REDIS_URL")


def folders() -> set[Path]:
    return set(service_home().glob(f"{RUN}*"))


def start_waiting_run() -> tuple["subprocess.Popen[str]", str, Path]:
    process = subprocess.Popen(
        [sys.executable, "-m", "embedded.throwaway", sys.executable, "-c", WAITING],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    owners = {folder: read_record(folder / OWNER) for folder in folders()}
    (folder,) = (folder for folder, owner in owners.items() if owner and owner.pid == process.pid)
    return process, address, folder


def test_it_works() -> None:
    with services() as addresses:
        with psycopg.connect(addresses["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with redis.Redis.from_url(addresses["REDIS_URL"]) as client:
            assert client.ping() is True
        assert set(addresses) == {"DATABASE_URL", "REDIS_URL"}


def test_what_the_environment_names_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somewhere/else")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere/0")
    before = folders()

    with services() as addresses:
        assert addresses == {}
        assert folders() == before


def test_valkey_asks_for_its_password() -> None:
    with (
        run_folder() as folder,
        valkey_in(folder) as server,
        redis.Redis(port=server.port) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_nothing_is_left_of_a_run() -> None:
    with run_folder() as folder, postgres_in(folder) as server:
        record = read_record(folder / "postgres.pid")
        assert record is not None
        assert still_runs(record)

    assert not folder.exists()
    assert not still_runs(record)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_told_to_end_leaves_nothing(number: signal.Signals) -> None:
    process, address, folder = start_waiting_run()

    process.send_signal(number)

    assert process.wait(30) != 0
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)


def test_what_a_killed_run_left_is_swept_by_the_next() -> None:
    process, address, folder = start_waiting_run()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    psycopg.connect(address).close()

    with run_folder():
        assert not folder.exists()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address)
    os.killpg(process.pid, signal.SIGKILL)  # the command that it had started


def test_a_run_that_goes_on_is_not_swept() -> None:
    process, address, folder = start_waiting_run()

    with run_folder():
        assert folder.exists()
        psycopg.connect(address).close()

    process.terminate()
    process.wait(30)


def test_a_record_of_another_program_is_left_alone() -> None:
    with run_folder() as folder:
        started = time.monotonic()
        bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
        try:
            (folder / "sleep.pid").write_text(f'{{"pid": {bystander.pid}, "command": "postgres -D elsewhere"}}')
            (folder / OWNER).write_text('{"pid": 1, "command": "a program that ended"}')
            with run_folder():
                assert bystander.poll() is None
        finally:
            os.kill(bystander.pid, signal.SIGKILL)
            bystander.wait()
            folder.mkdir(exist_ok=True)
        assert time.monotonic() - started < 30
