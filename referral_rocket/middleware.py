"""What every request goes through: bare doors that need none of the rest, and the organization of a page."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import ResolverMatch, reverse
from django_htmx.http import HttpResponseClientRedirect

from participants.models import Participant
from participants.selectors import removed_meanwhile
from referral_rocket.accounts.scoping import tenant
from referral_rocket.accounts.selectors import organizations_of
from webhooks.inbound import door

Answer = Callable[[HttpRequest], HttpResponseBase]


class BareDoors:
    """Answers payment systems' webhooks before sessions, authentication and content policy are looked at.

    They come at thousands a second and are signed: none of that is for them (architecture.md, Figures).
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(door.PREFIX):
            told = door.answer(request.META)
            return HttpResponse(told.content, status=told.status, content_type=told.content_type)
        return self.get_response(request)


class OrganizationMiddleware:
    """Opens the organization that a page's address names, for those who are in it; for all others it isn't there.

    The view runs inside `tenant()`: one transaction a request, rolled back where the view raises. A response that is
    still to be rendered is rendered inside it.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: Any, view: Callable[..., HttpResponseBase], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        match: ResolverMatch = request.resolver_match
        if "dashboard" not in match.namespaces:
            return None
        slug = kwargs.pop("slug")
        if not request.user.is_authenticated:
            return _sign_in(request, slug)
        accesses = organizations_of(request.user)
        access = next((each for each in accesses if each.organization.slug == slug), None)
        if access is None:
            raise Http404("There is no such organization, or you aren't in it.")
        request.organization = access.organization
        request.role = access.role
        request.accesses = accesses
        request.actor = f"user:{request.user.pk}"
        try:
            with tenant(access.organization):
                response = view(request, *args, **kwargs)
                if hasattr(response, "render") and not getattr(response, "is_rendered", True):
                    response = response.render()
        except (IntegrityError, Participant.DoesNotExist) as error:
            if not removed_meanwhile(error):
                raise
            raise Http404("What this names was removed at the same moment. Nothing was done.") from error
        return response


def _sign_in(request: Any, slug: str) -> HttpResponseBase:
    """To the sign-in page, and from there back to the page that was open: a form's or a fragment's address is none."""
    reading = request.method in ("GET", "HEAD")
    if not reading:
        messages.warning(request, "You had been signed out, so nothing was changed. Please do it once more.")
    if request.htmx:
        page = request.htmx.current_url_abs_path
    else:
        page = request.get_full_path() if reading else _referring_page(request)
    response = redirect_to_login(page or reverse("dashboard:overview", args=[slug]))
    # A script would follow a redirect and put the sign-in page in the place of its fragment.
    return HttpResponseClientRedirect(response.url) if request.htmx else response


def _referring_page(request: HttpRequest) -> str | None:
    referrer = urlsplit(request.headers.get("Referer", ""))
    if referrer.netloc != request.get_host():
        return None
    return f"{referrer.path}?{referrer.query}" if referrer.query else referrer.path
