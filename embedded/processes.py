"""Which processes run, and how those that an earlier run left behind are ended.

A process is ours when both its recorded number and its command line agree: a number alone may by now belong to
somebody else's program.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from embedded.places import PROJECT

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One running process, as the system shows it."""

    pid: int
    group: int
    command: str


@dataclass(frozen=True)
class Record:
    """What was written down about a process when it started."""

    pid: int
    command: str


def running() -> dict[int, Process]:
    """All processes of this machine that still do something, by their number."""
    found = _from_proc() if (PROC / "self" / "stat").exists() else _from_ps()
    return {process.pid: process for process in found}


def _from_proc() -> Iterable[Process]:
    for entry in PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            # The name in brackets may itself hold brackets and spaces: what follows the last one is regular.
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # ended while we looked
            continue
        state, _parent, group = fields[:3]
        if state != "Z":
            words = command.rstrip(b"\0").split(b"\0")
            yield Process(int(entry.name), int(group), " ".join(map(os.fsdecode, words)).rstrip())


def _from_ps() -> Iterable[Process]:
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,args="], check=True, capture_output=True, text=True
    ).stdout
    for line in listing.splitlines():
        pid, group, state, command = line.split(maxsplit=3)
        if not state.startswith("Z"):
            yield Process(int(pid), int(group), command.rstrip())


def write_record(path: Path, pid: int, command: Iterable[str]) -> None:
    """Writes down that process `pid` runs `command` (its words), in place of an older record."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"pid": pid, "command": " ".join(command)}))
    fresh.replace(path)


def read_record(path: Path) -> Record | None:
    """The record at `path`; None where there is none, or one that a crash of the machine left empty or cut."""
    try:
        content = json.loads(path.read_text())
        return Record(int(content["pid"]), str(content["command"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def still_runs(record: Record) -> bool:
    """Whether the recorded process is there and is still the same program."""
    process = running().get(record.pid)
    return process is not None and process.command == record.command


def family(record: Record) -> list[Process]:
    """The recorded process, which leads its own process group, and the others of that group, as far as they run.

    Workers outlive a leader that was killed. Their group keeps its number from being given away, and they must also
    look like ours.
    """
    processes = running()
    leader = processes.get(record.pid)
    members = [process for process in processes.values() if process.group == record.pid]
    if leader is not None and leader.command == record.command:
        return [leader, *(member for member in members if member is not leader)]
    if leader is not None:
        return []
    return [member for member in members if _looks_like_ours(member)]


def _looks_like_ours(process: Process) -> bool:
    ours = str(PROJECT) in process.command or sys.prefix in process.command
    return ours or process.command.startswith("postgres: ")


def end(processes: Collection[Process], *, first: signal.Signals = signal.SIGTERM, patience: float) -> None:
    """Asks `processes` to end with the signal `first`, waits up to `patience` seconds, then kills what is left."""
    _send(processes, first)
    left = wait_until_gone(processes, patience)
    if left:
        _send(left, signal.SIGKILL)
        wait_until_gone(left, 5)


def wait_until_gone(processes: Collection[Process], patience: float) -> list[Process]:
    """Waits until all of `processes` have ended, for at most `patience` seconds, and returns those that haven't."""
    deadline = time.monotonic() + patience
    while True:
        now = running()
        left = [process for process in processes if (seen := now.get(process.pid)) and seen.group == process.group]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _send(processes: Collection[Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:  # it ended by itself since we looked
            continue


def shown(command: str, longest: int = 100) -> str:
    """A command line for a message, shortened, with what a terminal would act on made visible."""
    text = " ".join(shlex.quote(word) if not word.isprintable() else word for word in command.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
