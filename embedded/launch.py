"""`python -m embedded.launch --record FILE [--as-service] -- COMMAND…`: becomes COMMAND, having written down its number.

The supervisor keeps no record of its children that would outlive it; without one, the children of a killed supervisor
could not be found again. As root, `--as-service` gives up root's rights first.
"""

import argparse
import os
import sys
from pathlib import Path

from embedded.places import service_account
from embedded.processes import write_record


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m embedded.launch")
    parser.add_argument("--record", type=Path, required=True, help="where to write down the process")
    parser.add_argument("--as-service", action="store_true", help="as root: run as the unprivileged account")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)

    if os.getpid() != os.getpgrp():
        os.setpgrp()
    write_record(options.record, os.getpid(), options.command)
    account = service_account() if options.as_service else None
    if account is not None:
        os.chdir("/")  # the clone may be out of that account's reach
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
    os.execv(options.command[0], options.command)


if __name__ == "__main__":
    main(sys.argv[1:])
