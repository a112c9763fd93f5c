"""The base of every call: who asks, how often, whether they may, what they send; then one handler in one transaction."""

import time
from collections.abc import Mapping
from typing import Any, NoReturn, cast
from uuid import UUID

import structlog
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.views import APIView

from participants.selectors import removed_meanwhile
from referral_rocket.accounts.models import ApiKey, Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.api import idempotency, rate_limit, request_log
from referral_rocket.api.answers import Answer, response_of
from referral_rocket.api.errors import domain_problem
from referral_rocket.api.fields import NoFilters, uuid_of
from referral_rocket.api.keys import actor_of
from referral_rocket.api.operations import Operation
from referral_rocket.api.parsing import body_of
from referral_rocket.api.problems import Problem, answer_of, invalid, not_found, problem_of, request_id

_IDEMPOTENT = ("POST", "PATCH")

log = structlog.get_logger(__name__)


class ApiView(APIView):
    """A path. Its methods are operations (`operations.operation`); each takes `self.given`, the checked body, and
    `self.query`, the checked query, looks up, calls one service and returns an Answer.

    A handler runs inside `tenant()`: whatever it raises takes back what it did.
    """

    http_method_names = ["get", "head", "post", "patch", "delete"]

    # What DRF reads off a suffix of the address; there are none here.
    format_kwarg = None

    key: ApiKey | None = None
    given: Mapping[str, Any]
    query: Mapping[str, Any]

    @property
    def organization(self) -> Organization:
        assert self.key is not None
        return self.key.organization

    @property
    def actor(self) -> str:
        return actor_of(self.request)

    def dispatch(self, request: HttpRequest, *args: Any, **path: Any) -> HttpResponse:
        began = time.monotonic()
        self.request = self.initialize_request(request)
        answer = self._answered(request, path)
        if self.key is not None:
            seconds = time.monotonic() - began
            request_log.note(
                key=self.key, method=str(request.method), path=request.path, answer=answer, seconds=seconds
            )
        response = response_of(answer)
        response["X-Request-ID"] = request_id()
        response["Cache-Control"] = "no-store"
        return response

    def _answered(self, request: HttpRequest, path: Mapping[str, str]) -> Answer:
        """The answer, a problem for whatever is raised. What isn't foreseen is a defect: logged with its trace."""
        try:
            return self._answer(request, path)
        except OperationalError:
            # The database is away, or ended this transaction for another's sake (a deadlock). Nothing was done.
            log.exception("api_database_unavailable")
            problem = Problem(503, "unavailable", "The database didn't answer. Nothing was done.", retry_after=1)
        except Exception as error:
            known = problem_of(error) or domain_problem(error) or _removed_meanwhile(error)
            if known is None:
                log.exception("api_defect")
                known = Problem(500, "internal_error", "Something is wrong on our side. The request_id finds it.")
            problem = known
        return answer_of(problem, {"Allow": ", ".join(self.allowed_methods)} if problem.status == 405 else None)

    def _answer(self, request: HttpRequest, path: Mapping[str, str]) -> Answer:
        self.key = cast("ApiKey | None", self.request.auth)
        if self.key is None:
            raise exceptions.NotAuthenticated()
        rate_limit.take(self.key.pk)
        operation = self._operation()
        if operation.scope not in self.key.scopes:
            raise Problem(403, "missing_scope", f"This key doesn't have the scope {operation.scope}.")
        if not operation.file:
            self.perform_content_negotiation(self.request)
        ids = {name: _id(value) for name, value in path.items()}
        body = {} if self.request.method in ("GET", "HEAD", "DELETE") else body_of(request)
        key = idempotency.checked_key(self.request.headers.get(idempotency.HEADER))
        with tenant(self.organization):
            if key is None or self.request.method not in _IDEMPOTENT:
                return self._run(operation, ids, body)
            return idempotency.once(
                organization=self.organization,
                key=key,
                fingerprint=idempotency.fingerprint(str(self.request.method), self.request.get_full_path(), body),
                run=lambda: self._run(operation, ids, body),
            )

    def _operation(self) -> Operation:
        handler = getattr(self, str(self.request.method).lower(), None)
        found = getattr(handler, "operation", None)
        if self.request.method not in self.allowed_methods or not isinstance(found, Operation):
            raise exceptions.MethodNotAllowed(str(self.request.method))
        return found

    def _run(self, operation: Operation, ids: Mapping[str, UUID], body: Mapping[str, Any]) -> Answer:
        self.query = self._checked_query(operation)
        taken = (operation.takes or NoFilters)(data=body)
        taken.is_valid(raise_exception=True)
        self.given = taken.validated_data
        answer: Answer = getattr(self, str(self.request.method).lower())(self.request, **ids)
        return answer

    def _checked_query(self, operation: Operation) -> Mapping[str, Any]:
        query = self.request.query_params
        errors = [(name, "unknown_filter", "There is no such filter.") for name in query if not _known(operation, name)]
        errors += [(name, "repeated", "This stands there twice.") for name in query if len(query.getlist(name)) > 1]
        if errors:
            raise invalid(errors)
        filters = operation.filters(data=query.dict())
        filters.is_valid(raise_exception=True)
        found: Mapping[str, Any] = filters.validated_data
        return found

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise exceptions.MethodNotAllowed(str(request.method))


def _removed_meanwhile(error: Exception) -> Problem | None:
    if not removed_meanwhile(error):
        return None
    log.warning("api_removed_meanwhile", error=str(error))
    detail = "Something that this names was removed at the same moment. Nothing was done."
    return Problem(503, "unavailable", detail, retry_after=1)


def _known(operation: Operation, name: str) -> bool:
    return name in operation.filters().fields


def _id(text: str) -> UUID:
    found = uuid_of(text)
    if found is None:
        raise not_found()
    return found
