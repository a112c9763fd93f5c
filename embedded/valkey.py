"""One embedded Valkey server. It keeps nothing on disk: what has to last stands in PostgreSQL."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from embedded.places import private_folder, service_account
from embedded.ports import LOOPBACK
from embedded.programs import valkey_server


class ValkeyFailed(Exception):
    """Valkey didn't answer in time."""


@dataclass(frozen=True)
class Valkey:
    """A server with its settings in `folder`, listening on loopback at `port`, asking for `password`."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    @property
    def settings(self) -> Path:
        return self.folder / "valkey.conf"

    def prepare(self) -> None:
        """Writes the settings, in a file and not on the command line, where everyone could read the password."""
        private_folder(self.folder)
        lines = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.folder}"',
            "save": '""',
            "appendonly": "no",
            # A command line that changes while it runs could not be recognised as ours after a crash.
            "set-proc-title": "no",
        }
        self.settings.touch(mode=0o600)
        self.settings.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        account = service_account()
        if account is not None:
            os.chown(self.settings, account.uid, account.gid)

    def command(self) -> list[str]:
        """The words that start the server in the foreground."""
        return [str(valkey_server()), str(self.settings)]

    def wait_until_ready(self, patience: float, *, alive: Callable[[], bool] = lambda: True) -> None:
        """Waits until the server answers; ValkeyFailed after `patience` seconds or when `alive` says no."""
        deadline = time.monotonic() + patience
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError as error:
                    if time.monotonic() > deadline or not alive():
                        raise ValkeyFailed(f"Valkey doesn't answer at {LOOPBACK}:{self.port}: {error}") from error
                    time.sleep(0.05)
                else:
                    return
