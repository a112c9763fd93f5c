"""`make demo`, from nothing and after crashes, with a product of a few lines in place of the real one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from embedded.places import PROJECT, service_home
from embedded.ports import free_port
from embedded.processes import Process, family, read_record, running

pytestmark = pytest.mark.process

PRODUCT = {
    "manage.py": """
        import json, os, sys
        if sys.argv[1] == "load_sample_data":
            print(json.dumps({"email": "e", "password": "p", "api_key": "k", "test_api_key": "t", "organization_id": "o"}))
        if sys.argv[1] == "migrate":
            import psycopg
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
                connection.execute("INSERT INTO starts DEFAULT VALUES")
        if sys.argv[1] == os.environ.get("FAILING"):
            sys.exit("it went wrong")
    """,
    "integrations/sandbox/__main__.py": """
        import sys
        from http.server import BaseHTTPRequestHandler, HTTPServer
        HTTPServer(("127.0.0.1", int(sys.argv[2])), BaseHTTPRequestHandler).serve_forever()
    """,
    "referral_rocket/wsgi.py": """
        def application(environ, start_response):
            start_response("200 OK", [])
            return [b"ready"]
    """,
    "referral_rocket/celery.py": """
        import os
        from celery import Celery
        app = Celery("product", broker=os.environ["REDIS_URL"])
    """,
}


class Demo:
    """A copy of the start-up in a folder of its own, so that nobody's running demo is touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        shutil.copytree(PROJECT / "embedded", folder / "embedded")
        for name, source in PRODUCT.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            for package in (path.parent, path.parent.parent):
                if package not in (folder, folder.parent):
                    (package / "__init__.py").touch()
            path.write_text("\n".join(line.removeprefix(" " * 8) for line in source.splitlines()))
        self.process: subprocess.Popen[str] | None = None

    def begin(self, **environment: str) -> "subprocess.Popen[str]":
        without = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS"}
        inherited = {name: value for name, value in os.environ.items() if name not in without}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "embedded.demo"],
            cwd=self.folder,
            env=inherited | {"PORT": str(self.port)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def start(self, **environment: str) -> dict[str, str]:
        """Starts the demo, waits until it is announced, and returns the announcement."""
        announcement = self.folder / ".local" / "demo.json"
        announcement.unlink(missing_ok=True)
        process = self.begin(**environment)
        try:
            until(lambda: announcement.exists() or process.poll() is not None, 60)
        except AssertionError:
            for one in self.processes():
                os.kill(one.pid, signal.SIGKILL)
            process.kill()
            logs = [f"{path.name}:\n{path.read_text()[-1000:]}" for path in (self.folder / ".local" / "logs").glob("*")]
            raise AssertionError("\n".join(["not ready within a minute", self.output(), *logs])) from None
        assert process.poll() is None, self.output()
        content: dict[str, str] = json.loads(announcement.read_text())
        return content

    def output(self) -> str:
        assert self.process is not None
        return self.process.communicate(timeout=60)[0]

    def processes(self) -> list[Process]:
        """Everything that a run of this folder started, found as a crash would leave it: by record and by path."""
        places = (str(self.folder), str(service_home(self.folder)), f"--port {self.port} ")
        found = {one.pid: one for one in running().values() if any(place in one.command for place in places)}
        for path in (self.folder / ".local" / "run").glob("*.pid"):
            record = read_record(path)
            if record is not None:
                found |= {one.pid: one for one in family(record)}
        return list(found.values())

    def recorded(self, name: str) -> int:
        record = read_record(self.folder / ".local" / "run" / f"{name}.pid")
        assert record is not None
        return record.pid

    def setting(self, name: str) -> str:
        lines = (self.folder / ".local" / "demo.env").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return answer.read() == b"ready"
        except OSError:
            return False

    def starts(self) -> int:
        with psycopg.connect(self.setting("DATABASE_URL")) as connection:
            row = connection.execute("SELECT count(*) FROM starts").fetchone()
        assert row is not None
        return int(row[0])

    def kill_everything(self) -> None:
        for process in self.processes():
            os.kill(process.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.communicate(timeout=60)


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    folder = tmp_path / "clone 100%"
    folder.mkdir()
    demo = Demo(folder)
    home = service_home(folder)
    try:
        yield demo
        demo.end()
        assert demo.processes() == []
    finally:
        for process in demo.processes():
            os.kill(process.pid, signal.SIGKILL)
        shutil.rmtree(home)


def test_it_works(demo: Demo) -> None:
    announcement = demo.start()

    assert announcement == {
        "url": f"http://127.0.0.1:{demo.port}",
        "email": "e",
        "password": "p",
        "api_key": "k",
        "test_api_key": "t",
        "organization_id": "o",
    }
    assert demo.answers()
    local = demo.folder / ".local"
    assert {path.stem for path in (local / "logs").glob("*.log")} >= {"postgres", "valkey", "web", "worker", "beat"}
    assert (local / "demo.env").stat().st_mode & 0o777 == 0o600
    assert (local / "demo.json").stat().st_mode & 0o777 == 0o600
    assert demo.setting("STRIPE_API_BASE").endswith("/stripe")
    assert demo.setting("SECRET_KEY") not in (local / "supervisord.conf").read_text()


def test_it_ends_cleanly_on_ctrl_c(demo: Demo) -> None:
    demo.start()
    assert demo.process is not None

    demo.process.send_signal(signal.SIGINT)

    assert demo.process.wait(60) == 128 + signal.SIGINT
    assert demo.processes() == []


def test_it_ends_cleanly_while_it_is_starting(demo: Demo) -> None:
    process = demo.begin()
    until(lambda: (demo.folder / ".local" / "run" / "postgres.pid").exists(), 30)

    process.terminate()

    assert process.wait(60) == 128 + signal.SIGTERM
    assert demo.processes() == []
    assert not (demo.folder / ".local" / "demo.json").exists()


def test_it_starts_again_on_the_same_data(demo: Demo) -> None:
    demo.start()
    secret = demo.setting("SECRET_KEY")
    demo.end()

    demo.start()

    assert demo.starts() == 2
    assert demo.setting("SECRET_KEY") == secret


def test_it_starts_again_after_everything_was_killed(demo: Demo) -> None:
    demo.start()
    demo.kill_everything()

    demo.start()

    assert demo.starts() == 2
    assert demo.answers()


@pytest.mark.parametrize("killed", [("supervisord",), ("demo", "supervisord", "web", "postgres")])
def test_it_ends_what_a_crash_left_running(demo: Demo, killed: tuple[str, ...]) -> None:
    demo.start()
    for name in killed:
        os.kill(demo.recorded(name), signal.SIGKILL)
    if "demo" in killed:
        assert demo.process is not None
        demo.process.communicate()

    demo.start()

    assert demo.starts() == 2
    assert len([one for one in running().values() if one.command == " ".join(postgres_command(demo))]) == 1


def test_a_second_start_takes_the_place_of_the_first(demo: Demo) -> None:
    demo.start()
    first = demo.process
    assert first is not None

    demo.start()

    assert first.wait(10) == 128 + signal.SIGTERM
    assert demo.starts() == 2
    assert demo.answers()


def postgres_command(demo: Demo) -> list[str]:
    record = read_record(demo.folder / ".local" / "run" / "postgres.pid")
    assert record is not None
    return record.command.split(" ")


def test_what_dies_is_started_again(demo: Demo) -> None:
    demo.start()

    for name in ("web", "worker", "deliveries", "beat", "sandbox", "valkey", "postgres"):
        # One that lost what it needs in the round before may have ended by itself, and is being started again.
        until(lambda: demo.recorded(name) in running(), 30)  # noqa: B023 - called before the next round
        before = demo.recorded(name)
        family_before = [one.pid for one in running().values() if one.group == before]
        os.kill(before, signal.SIGKILL)

        until(lambda: demo.recorded(name) != before, 30)  # noqa: B023
        until(demo.answers, 30)
        assert running().keys().isdisjoint(family_before), name
    until(lambda: is_listening(demo.setting("DATABASE_URL")), 30)

    workers = web_processes(demo) - {demo.recorded("web")}
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGKILL)

    until(lambda: len(web_processes(demo)) == 3 and workers.isdisjoint(web_processes(demo)), 30)
    until(demo.answers, 30)


def web_processes(demo: Demo) -> set[int]:
    return {one.pid for one in running().values() if one.group == demo.recorded("web")}


def is_listening(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_taken_port_is_named_with_its_holder(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", demo.port)):
        process = demo.begin()

        output = demo.output()

    assert process.returncode == 1
    assert f"Port {demo.port} is taken by process {os.getpid()} (" in output
    assert f"make demo PORT={demo.port + 1}" in output
    assert demo.processes() == []


def test_a_port_that_is_no_number_is_refused(demo: Demo) -> None:
    process = demo.begin(PORT="80a")

    output = demo.output()

    assert process.returncode == 1
    assert "PORT has to be a number from 1 to 65535, and is '80a'." in output


def test_a_command_that_fails_is_shown_and_nothing_is_left(demo: Demo) -> None:
    process = demo.begin(FAILING="migrate")

    output = demo.output()

    assert process.returncode == 1
    assert "manage.py migrate failed" in output
    assert "it went wrong" in output
    assert demo.processes() == []


def test_what_is_given_is_used(demo: Demo) -> None:
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    given["STRIPE_API_BASE"] = "http://127.0.0.1:1/elsewhere"

    demo.start(**given)

    assert {name: demo.setting(name) for name in given} == given
    assert not (demo.folder / ".local" / "run" / "postgres.pid").exists()
    assert not (demo.folder / ".local" / "run" / "valkey.pid").exists()


def test_data_whose_keys_are_gone_are_begun_anew(demo: Demo) -> None:
    demo.start()
    demo.end()
    shutil.rmtree(demo.folder / ".local")

    demo.start()

    assert demo.starts() == 1
