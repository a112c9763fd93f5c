"""What a role may do, at the door of a view. Pages don't offer what is refused here (`frame.can`)."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseBase

from referral_rocket.accounts.roles import Ability, may

Arguments = ParamSpec("Arguments")
Response = TypeVar("Response", bound=HttpResponseBase)
View = Callable[Concatenate[Any, Arguments], Response]


def requires(ability: Ability) -> Callable[[View[Arguments, Response]], View[Arguments, Response]]:
    """Answer 403 to members whose role hasn't the ability; the view isn't entered."""

    def decorate(view: View[Arguments, Response]) -> View[Arguments, Response]:
        @wraps(view)
        def guarded(request: Any, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Response:
            if not may(request.role, ability):
                raise PermissionDenied(f"Your role doesn't allow this: {ability.label.lower()}.")
            return view(request, *args, **kwargs)

        return guarded

    return decorate
