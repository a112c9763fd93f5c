"""Ports of this machine: a free one, and who holds one that isn't free."""

import random
import socket
from collections.abc import Collection
from pathlib import Path

from embedded.processes import running, shown

LOOPBACK = "127.0.0.1"
# Linux gives clients ports from 32768 on, other systems from 49152.
SERVER_PORTS = range(20_000, 32_768)
LISTENING = "0A"  # the state of a listening socket in /proc/net/tcp


def free_port(preferred: int = 0, *, besides: Collection[int] = ()) -> int:
    """A loopback port for a server, and none of `besides`: `preferred` where that is still free.

    It is below those that systems give to clients. One of those could go to a client before the server begins to listen,
    even to the one that asks whether that very server is there yet, which is then connected with itself.
    """
    if preferred in SERVER_PORTS and preferred not in besides and is_free(preferred):
        return preferred
    for port in random.sample(SERVER_PORTS, len(SERVER_PORTS)):
        if port not in besides and is_free(port):
            return port
    raise OSError(f"Nothing is free on {LOOPBACK} from port {SERVER_PORTS.start} to {SERVER_PORTS.stop - 1}.")


def is_free(port: int) -> bool:
    """Whether a server could listen on loopback at `port`; connections that are closing don't stand in its way."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """In words, which program listens at `port`, as far as the system lets us see."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for pid, process in running().items():
        if sockets & _open_sockets(pid):
            return f"process {pid} ({shown(process.command)})"
    return "a program of another user or of another container"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def _open_sockets(pid: int) -> set[str]:
    try:
        return {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:  # another user's process, or one that just ended
        return set()
