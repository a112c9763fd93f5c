"""WSGI entry point: `granian --interface wsgi referral_rocket.wsgi:application`.

A payment system's webhook goes straight to its door: Django's own handling of a request, with its signals, costs as much as
all that the door does before PostgreSQL. Where this isn't the entry point (tests), `middleware.BareDoors` leads there too.
"""

import os
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application

from referral_rocket.checks import refuse_unsafe_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")

refuse_unsafe_settings()
pages_and_api = get_wsgi_application()

import structlog  # noqa: E402 - the apps have to be loaded first
from django.db import connection  # noqa: E402

from webhooks.inbound import door  # noqa: E402

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = structlog.get_logger(__name__)
_STATUSES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    if not environ.get("PATH_INFO", "").startswith(door.PREFIX):
        return pages_and_api(environ, start_response)
    told = _answer(environ)
    headers = [("Content-Type", told.content_type), ("Content-Length", str(len(told.content)))]
    start_response(_STATUSES[told.status], headers)
    return [told.content]


def _answer(environ: "WSGIEnvironment") -> door.Answer:
    try:
        return door.answer(environ)
    except Exception:
        log.exception("inbound_failed", path=environ["PATH_INFO"])
        return door.Answer(500, b"", "text/plain")
    finally:
        # What Django does at each request's end: a connection that is too old or had an error isn't used again.
        connection.close_if_unusable_or_obsolete()
