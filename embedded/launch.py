"""`python -m embedded.launch --record FILE [--as-service] -- COMMAND…`: becomes COMMAND, having written down its number.

The supervisor keeps no record of its children that would outlive it; without one, the children of a killed supervisor
could not be found again. `--as-service` is for PostgreSQL and Valkey: they get none of our secrets in their environment,
and as root, it gives up root's rights first.
"""

import argparse
import os
import sys
from pathlib import Path

from embedded.places import service_account
from embedded.processes import end, family, read_record, write_record

PLAIN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
ORPHAN_SECONDS = 5


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m embedded.launch")
    parser.add_argument("--record", type=Path, required=True, help="where to write down the process")
    parser.add_argument("--as-service", action="store_true", help="a plain environment, and never as root")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)

    if os.getpid() != os.getpgrp():
        os.setpgrp()
    # Workers of a master that was killed live on, and would share its port with those of the new one.
    predecessor = read_record(options.record)
    if predecessor is not None and predecessor.pid != os.getpid():
        end(family(predecessor), patience=ORPHAN_SECONDS)
    write_record(options.record, os.getpid(), options.command)
    if not options.as_service:
        os.execv(options.command[0], options.command)
    account = service_account()
    if account is not None:
        os.chdir("/")  # the clone may be out of that account's reach
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
    os.execve(options.command[0], options.command, PLAIN_ENVIRONMENT)


if __name__ == "__main__":
    main(sys.argv[1:])
