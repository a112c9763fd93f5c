"""Ports of this machine: a free one, and who holds one that isn't free."""

import socket
from pathlib import Path

from embedded.processes import running, shown

LOOPBACK = "127.0.0.1"
LISTENING = "0A"  # the state of a listening socket in /proc/net/tcp


def free_port(preferred: int | None = None) -> int:
    """A loopback port that nothing listens on: `preferred` where that is still free."""
    if preferred and is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


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
