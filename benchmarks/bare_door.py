"""What a door that thinks of nothing can do here: an application that stores each body by one INSERT, and nothing else.

No signature, no tenant, no Django: with the same server, client and PostgreSQL it says what all that costs.
"""

import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_local = threading.local()
_ANSWER = b'{"received": true}'
_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(_ANSWER)))]


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    # Whoever asks whether it is there sends no body.
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    connection.execute("INSERT INTO bench_row (body) VALUES (%s)", [body.decode()])
    start_response("200 OK", _HEADERS)
    return [_ANSWER]
