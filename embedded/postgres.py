"""One embedded PostgreSQL server: its data folder, its command, its address."""

import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from embedded.places import owned_folder, service_account
from embedded.ports import LOOPBACK
from embedded.programs import postgres_folder

ROLE = DATABASE = "rocket"
SUPERUSER = "postgres"

# The superuser serves once, in single-user mode, where nothing listens; nobody can log in as it afterwards.
HOST_ACCESS = f"host all {ROLE} {LOOPBACK}/32 scram-sha-256\n"

SERVER_OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
# For data that nobody wants to keep: no waiting for the disk.
CARELESS_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresFailed(Exception):
    """PostgreSQL could not be set up, or didn't answer in time; the message holds its own words."""


@dataclass(frozen=True)
class Postgres:
    """A server whose data stands in `folder`, listening on loopback at `port`.

    `password` is that of the one login role, which owns the database and is no superuser, so that row-level security
    holds for it. `durable` says whether the data has to survive a crash of the machine.
    """

    folder: Path
    port: int
    password: str
    durable: bool

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgres://{ROLE}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self, seed: Path | None = None) -> None:
        """Makes the data folder with the role and its database, unless it is there. Raises PostgresFailed.

        With `seed` it becomes a copy of that data folder, which an earlier server left; only the password is new.
        """
        if self.data.exists():
            return
        account = service_account()
        owned_folder(self.folder, account)
        # Made aside and renamed, so that a run which is killed here leaves nothing that looks finished.
        fresh = self.folder / f"data.{secrets.token_hex(4)}"
        for unfinished in self.folder.glob("data.*"):
            shutil.rmtree(unfinished)
        if seed is not None:
            # As ourselves, who may read both folders, and with the owner kept.
            subprocess.run(["cp", "-a", str(seed), str(fresh)], check=True)
            self._single_user(fresh, f"ALTER ROLE {ROLE} PASSWORD '{self._checked_password()}';\n")
            fresh.rename(self.data)
            return
        program = postgres_folder()
        self._run(
            [
                str(program / "initdb"),
                f"--pgdata={fresh}",
                f"--username={SUPERUSER}",
                "--auth=trust",
                "--encoding=UTF8",
                # PostgreSQL's own collation: the same order on every machine, whatever locales it has.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            ]
        )
        (fresh / "pg_hba.conf").write_text(HOST_ACCESS)
        self._single_user(
            fresh,
            f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS CREATEDB PASSWORD '{self._checked_password()}';\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n",
        )
        fresh.rename(self.data)

    def _checked_password(self) -> str:
        if not self.password.isalnum():
            raise PostgresFailed("The database password may hold only letters and digits.")
        return self.password

    def _single_user(self, data: Path, statements: str) -> None:
        self._run([str(postgres_folder() / "postgres"), "--single", "-D", str(data), SUPERUSER], statements)

    def _run(self, command: list[str], standard_input: str = "") -> None:
        account = service_account()
        result = subprocess.run(
            command,
            input=standard_input,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            **(account.for_subprocess() if account else {}),
        )
        # In single-user mode a statement that fails doesn't show in the exit code.
        if result.returncode != 0 or "ERROR:" in result.stderr:
            raise PostgresFailed(f"{Path(command[0]).name} failed:\n{result.stdout}{result.stderr}")

    def command(self) -> list[str]:
        """The words that start the server in the foreground; it takes SIGINT as the order to end at once and cleanly."""
        options = SERVER_OPTIONS | ({} if self.durable else CARELESS_OPTIONS) | {"port": str(self.port)}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(postgres_folder() / "postgres"), "-D", str(self.data), *settings]

    def wait_until_ready(self, patience: float, *, alive: Callable[[], bool] = lambda: True) -> None:
        """Waits until the login role can connect; PostgresFailed after `patience` seconds or when `alive` says no."""
        deadline = time.monotonic() + patience
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or not alive():
                    raise PostgresFailed(f"PostgreSQL doesn't answer at {LOOPBACK}:{self.port}: {error}") from error
                time.sleep(0.05)
            else:
                return
