"""The supervisor that keeps the demo's processes running, its generated configuration and how it is spoken to."""

import os
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from embedded.demo_settings import LOGS, RECORDS
from embedded.places import LOCAL, PROJECT

CONFIGURATION = LOCAL / "supervisord.conf"
RECORD = RECORDS / "supervisord.pid"
APPLICATION = "application"
# The longest path that a UNIX socket may have is 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 100


class SupervisorFailed(Exception):
    """The supervisor ended, or didn't answer in time."""


@dataclass(frozen=True)
class Program:
    """One supervised process."""

    name: str
    command: list[str]
    # The order of starting; stopping is the other way round.
    priority: int
    stop_signal: str = "TERM"
    # How long it may take to end by itself, in seconds.
    stop_seconds: int = 10
    # Runs as the unprivileged account when we are root.
    as_service: bool = False
    # Waits for the database to be ready instead of starting with the supervisor.
    in_application: bool = False

    def launch_command(self) -> list[str]:
        options = ["--record", str(RECORDS / f"{self.name}.pid"), *(["--as-service"] if self.as_service else [])]
        return [sys.executable, "-m", "embedded.launch", *options, "--", *self.command]


def configuration(programs: Iterable[Program], socket: Path) -> str:
    """The text of supervisord.conf; secrets reach the processes by the environment and don't stand in it."""
    programs = list(programs)
    blocks = [
        _block(
            "supervisord",
            nodaemon="true",
            silent="true",
            directory=PROJECT,
            logfile=LOGS / "supervisord.log",
            logfile_maxbytes="5MB",
            logfile_backups=1,
            pidfile=RECORDS / "supervisord.number",
            **({"user": "root"} if os.geteuid() == 0 else {}),
        ),
        _block("unix_http_server", file=socket, chmod="0700"),
        _block(
            "rpcinterface:supervisor",
            **{"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
        *map(_program_block, programs),
        # One group, so that its members are told to stop together and not one after the other.
        _block(
            f"group:{APPLICATION}",
            programs=",".join(program.name for program in programs if program.in_application),
            priority=max(program.priority for program in programs),
        ),
    ]
    return "\n".join(blocks)


def _program_block(program: Program) -> str:
    return _block(
        f"program:{program.name}",
        command=" ".join(_quoted(word) for word in program.launch_command()),
        directory=PROJECT,
        priority=program.priority,
        autostart=str(not program.in_application).lower(),
        autorestart="true",
        startsecs=1,
        # With the supervisor's growing pauses, an hour of trying.
        startretries=80,
        stopsignal=program.stop_signal,
        stopwaitsecs=program.stop_seconds,
        killasgroup="true",
        redirect_stderr="true",
        # Supervisor expands this entry twice.
        stdout_logfile=str(LOGS / f"{program.name}.log").replace("%", "%%"),
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups=1,
    )


def _block(title: str, **entries: object) -> str:
    # A percent sign starts an expansion in this format.
    lines = [f"{name}={str(value).replace('%', '%%')}" for name, value in entries.items()]
    return "\n".join([f"[{title}]", *lines, ""])


def _quoted(word: str) -> str:
    if any(character in word for character in "'\"\\\n"):
        raise SupervisorFailed(f"The folder's path may hold no quotes and no backslashes: {word}")
    return f'"{word}"'


class Supervisor:
    """A running supervisord over `programs`, all in one environment."""

    def __init__(self, programs: Iterable[Program], environment: Mapping[str, str]) -> None:
        self._stack = ExitStack()
        self._socket = self._socket_path()
        CONFIGURATION.write_text(configuration(programs, self._socket))
        command = [sys.executable, "-m", "embedded.launch", "--record", str(RECORD), "--"]
        command += [sys.executable, "-m", "supervisor.supervisord", "-c", str(CONFIGURATION)]
        with (LOGS / "supervisord.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C reaches the demo, which ends this one in order.
                start_new_session=True,
            )

    def _socket_path(self) -> Path:
        preferred = RECORDS / "supervisor.sock"
        if len(os.fsencode(preferred)) <= LONGEST_SOCKET_PATH:
            return preferred
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rocket-"))) / "supervisor.sock"

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float) -> bool:
        """Waits for at most so long and says whether the supervisor has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def start_application(self, *, only: str | None = None) -> None:
        """Starts the programs that were waiting for the database and don't run yet, or `only` the one of that name."""
        if only is not None:
            self._call("startProcess", f"{APPLICATION}:{only}", False)
        else:
            self._call("startProcessGroup", APPLICATION, False)

    def states(self) -> dict[str, str]:
        """Each program's state in the supervisor's words, `RUNNING` or `FATAL` for example."""
        return {entry["name"]: entry["statename"] for entry in self._call("getAllProcessInfo")}

    def _call(self, method: str, *arguments: object, patience: float = 20) -> Any:
        deadline = time.monotonic() + patience
        while True:
            transport = SupervisorTransport(None, None, f"unix://{self._socket}")
            proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            try:
                return getattr(proxy.supervisor, method)(*arguments)
            except (OSError, xmlrpc.client.ProtocolError) as error:
                if not self.alive() or time.monotonic() > deadline:
                    raise SupervisorFailed(f"The supervisor doesn't answer: {error}; see {LOGS}.") from error
                time.sleep(0.05)
            finally:
                transport.close()

    def stop(self, patience: float) -> None:
        """Ends all programs in order, then the supervisor; returns once it is gone, or after `patience` seconds."""
        if self.alive():
            self._process.terminate()
            if not self.wait(patience):
                self._process.kill()
                self._process.wait()
        self._stack.close()
