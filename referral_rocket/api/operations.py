"""What one call takes, answers and refuses: said once, read by the view that checks it and by the document."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rest_framework import serializers

from referral_rocket.accounts.models import Scope
from referral_rocket.api.fields import NoFilters, Strict

Shape = type[serializers.Serializer[Any]]
Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operation:
    """`takes` is the body's shape (None: no body), `answers` the shape for each success (None: no body).

    `refuses` names the codes of each error status that only this call has; those that every call has are added by
    `schema.py`.
    """

    id: str
    summary: str
    scope: str
    takes: type[Strict] | None = None
    filters: type[Strict] = NoFilters
    answers: Mapping[int, Shape | None] = field(default_factory=dict)
    refuses: Mapping[int, Sequence[str]] = field(default_factory=dict)
    about: str = ""
    listed: bool = False
    # The 200 is a file instead of JSON.
    file: bool = False


def operation(
    id: str,
    summary: str,
    *,
    answers: Mapping[int, Shape | None],
    scope: str = Scope.WRITE,
    takes: type[Strict] | None = None,
    filters: type[Strict] = NoFilters,
    refuses: Mapping[int, Sequence[str]] | None = None,
    about: str = "",
    listed: bool = False,
    file: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare a view's method as an operation. `listed` wraps the shape of its 200 as a page of them."""

    def declare(handler: Handler) -> Handler:
        handler.operation = Operation(  # type: ignore[attr-defined]
            id, summary, scope, takes, filters, answers, refuses or {}, about, listed, file
        )
        return handler

    return declare
