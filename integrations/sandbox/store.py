"""What the stand-ins remember: one SQLite file, so that a restart or a kill loses nothing that was answered."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL, livemode INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    parent TEXT NOT NULL DEFAULT '', lookup TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_lookup ON objects (provider, kind, livemode, lookup, seq);
CREATE INDEX IF NOT EXISTS objects_parent ON objects (provider, kind, parent, seq);
CREATE TABLE IF NOT EXISTS answers (
    provider TEXT NOT NULL, livemode INTEGER NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL,
    created REAL NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (provider, livemode, key));
CREATE TABLE IF NOT EXISTS requests (
    provider TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (provider, method, path, status));
"""


@dataclass(frozen=True)
class StoredAnswer:
    fingerprint: str
    status: int
    body: Any


class Store:
    """One connection behind one lock: SQLite writes one at a time anyway, and each is short."""

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode=WAL")
        # Survives a kill of the process, which is what demos and tests do to it; a power cut may lose the last second.
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(_TABLES)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block's writes, or none; nobody else writes meanwhile."""
        with self._lock:
            if self._database.in_transaction:
                yield
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def clear(self) -> None:
        with self.transaction():
            for table in ("objects", "answers", "requests"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - the three names above

    # Objects

    def put(
        self, provider: str, livemode: bool, kind: str, body: Mapping[str, Any], *, parent: str = "", lookup: str = ""
    ) -> None:
        """Add an object, or replace the one with its id. `created` is the body's own, in seconds since 1970."""
        with self._lock:
            self._database.execute(
                "INSERT INTO objects (provider, livemode, kind, id, parent, lookup, created, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET lookup = excluded.lookup, body = excluded.body",
                (provider, livemode, kind, body["id"], parent, lookup, body.get("created", 0), json.dumps(body)),
            )

    def get(self, provider: str, livemode: bool, kind: str, object_id: str) -> dict[str, Any] | None:
        rows = self._rows(
            "SELECT body FROM objects WHERE id = ? AND provider = ? AND livemode = ? AND kind = ?",
            object_id, provider, livemode, kind,
        )  # fmt: skip
        return json.loads(rows[0]["body"]) if rows else None

    def find(
        self,
        provider: str,
        kind: str,
        *,
        livemode: bool | None = None,
        parent: str | None = None,
        lookup: str | None = None,
        created: tuple[int, int] | None = None,
        after: str | None = None,
        before: str | None = None,
        limit: int | None = None,
        keep: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> list[dict[str, Any]]:
        """Newest first, the first `limit` that `keep` keeps. `after`, `before`: ids to begin after or to end before."""
        where, values = ["provider = ?", "kind = ?"], [provider, kind]
        conditions: list[tuple[str, Any]] = [("livemode = ?", livemode), ("parent = ?", parent), ("lookup = ?", lookup)]
        conditions.append(("seq < (SELECT seq FROM objects WHERE id = ?)", after))
        conditions.append(("seq > (SELECT seq FROM objects WHERE id = ?)", before))
        if created is not None:
            conditions += [("created >= ?", created[0]), ("created <= ?", created[1])]
        for condition, value in conditions:
            if value is not None:
                where.append(condition)
                values.append(value)
        query = f"SELECT body FROM objects WHERE {' AND '.join(where)} ORDER BY seq DESC"  # noqa: S608 - fixed texts
        found = (json.loads(row["body"]) for row in self._rows(query, *values))
        return list(islice(filter(keep, found), limit))

    # Answers kept under idempotency keys

    def answer(self, provider: str, livemode: bool, key: str, younger_than: float) -> StoredAnswer | None:
        """The answer kept for a key, unless it is older than so many seconds."""
        rows = self._rows(
            "SELECT fingerprint, status, body FROM answers WHERE provider = ? AND livemode = ? AND key = ? AND created > ?",
            provider, livemode, key, time.time() - younger_than,
        )  # fmt: skip
        return StoredAnswer(rows[0]["fingerprint"], rows[0]["status"], json.loads(rows[0]["body"])) if rows else None

    def keep_answer(self, provider: str, livemode: bool, key: str, answer: StoredAnswer) -> None:
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                (provider, livemode, key, answer.fingerprint, time.time(), answer.status, json.dumps(answer.body)),
            )

    def forget_answers(self, provider: str) -> None:
        with self._lock:
            self._database.execute("DELETE FROM answers WHERE provider = ?", (provider,))

    # What was asked

    def count(self, provider: str, method: str, path: str, status: int) -> None:
        """`status` 0 stands for "no answer was given"."""
        with self._lock:
            self._database.execute(
                "INSERT INTO requests VALUES (?, ?, ?, ?, 1)"
                " ON CONFLICT (provider, method, path, status) DO UPDATE SET count = count + 1",
                (provider, method, path, status),
            )

    def counts(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self._rows("SELECT * FROM requests ORDER BY provider, path, method, status")]

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._database.execute(query, values).fetchall()
