"""`/livez`, `/readyz` and `/metrics`: for supervisors and monitoring."""

import hmac

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

from referral_rocket.kit.cache import ping


def livez(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when requests can be served: the database answers and is migrated. Redis only speeds things up.

    A missing Redis is reported and doesn't make the answer 503: nothing is lost or refused without it.
    """
    checks = {"database": _database(), "redis": _redis()}
    ready = checks["database"] == "ok"
    return JsonResponse({"status": "ok" if ready else "unavailable", "checks": checks}, status=200 if ready else 503)


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "migrations are missing: run manage.py migrate"
    except DatabaseError as error:
        return f"unreachable: {type(error).__name__}"
    return "ok"


def _redis() -> str:
    try:
        ping()
    except (RedisError, OSError) as error:
        return f"unreachable: {type(error).__name__}"
    return "ok"


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus's text form; open where METRICS_OPEN is set, else for the bearer of METRICS_TOKEN."""
    if not settings.METRICS_OPEN and not _bears_token(request):
        return HttpResponse("Set METRICS_TOKEN and send it as a bearer token.\n", status=401, content_type="text/plain")
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _bears_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
