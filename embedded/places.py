"""Where the embedded services live, and as whom they run.

PostgreSQL refuses to run as root. So as root its program and its data stand in a private folder of the system's
temporary area, which an unprivileged account may enter, and not in the clone, whose parent folders (`/root`, say) that
account can't pass and which nobody should have to open up. For an ordinary user everything stays in `.local/`.
"""

import hashlib
import os
import pwd
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
LOCAL = PROJECT / ".local"

# Survives a restart of the machine, which /tmp need not do.
LASTING_TEMPORARY_AREA = Path("/var/tmp")  # noqa: S108 - the folder made in it is checked by private_folder()
UNPRIVILEGED_ACCOUNT = "nobody"


class UnsafeFolder(Exception):
    """A folder that has to be private to us belongs to someone else, or others may write to it."""


@dataclass(frozen=True)
class Account:
    """The account that a service runs as."""

    name: str
    uid: int
    gid: int

    def for_subprocess(self) -> Mapping[str, Any]:
        """The keyword arguments that make `subprocess` start a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def service_account() -> Account | None:
    """The unprivileged account for the services, or None where we are an ordinary user and they run as ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED_ACCOUNT)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def service_home(project: Path = PROJECT) -> Path:
    """The folder of the services' programs and data, the same one in each run of the same clone."""
    if service_account() is None:
        home = project / ".local"
        home.mkdir(mode=0o700, exist_ok=True)
        return home
    area = LASTING_TEMPORARY_AREA if LASTING_TEMPORARY_AREA.is_dir() else Path(tempfile.gettempdir())
    name = hashlib.sha256(os.fsencode(project)).hexdigest()[:12]
    return private_folder(area / f"referral-rocket-{name}")


def private_folder(folder: Path) -> Path:
    """Makes `folder`, which others may pass through and not list or write to, or takes the one that is there.

    Raises UnsafeFolder where somebody else was first: anyone may make a folder of that name in a temporary area.
    """
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UnsafeFolder(f"{folder} has to be a folder that only you can write to. Look at it, then remove it.")
    folder.chmod(0o711)
    return folder


def owned_folder(folder: Path, account: Account | None) -> Path:
    """Makes `folder` for `account` alone (or for ourselves, where it is None)."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder
