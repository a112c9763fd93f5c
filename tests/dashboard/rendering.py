"""Renders a piece of template source with components in it, as a page would."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.messages.storage.base import BaseStorage, Message
from django.http import HttpRequest
from django.template import RequestContext, Template
from django.test import RequestFactory
from django_cotton.compiler_regex import CottonCompiler


@dataclass
class FakeOrganization:
    name: str = "Acme Coffee"
    slug: str = "acme"
    mode: str = "LIVE"
    time_zone: str = "Europe/Berlin"


@dataclass
class FakeUser:
    email: str = "mara@acme.test"
    name: str = "Mara Ek"
    is_authenticated: bool = True
    is_active: bool = True


@dataclass
class FakeFrame:
    organizations: list[FakeOrganization] = field(default_factory=list)
    due_count: int = 24
    role: str = "OWNER"
    section: str = ""
    search_url: str = ""


class Remembered(BaseStorage):
    """Messages that live as long as the request."""

    def _get(self, *args: Any, **kwargs: Any) -> tuple[list[Message], bool]:
        return [], True

    def _store(self, messages: list[Message], *args: Any, **kwargs: Any) -> list[Message]:
        return messages


def make_request(path: str = "/", *, mode: str = "LIVE", theme: str = "", language: str = "en-US") -> HttpRequest:
    """A request of a signed-in owner, as the middleware would leave it."""
    headers = {"Accept-Language": language}
    request = RequestFactory(headers=headers).get(path)
    if theme:
        request.COOKIES["theme"] = theme
    request.organization = FakeOrganization(mode=mode)
    request.user = FakeUser()
    request._messages = Remembered(request)
    return request


def render(source: str, request: HttpRequest | None = None, **context: Any) -> str:
    """The HTML of template source in which `<c-…>` components may stand."""
    request = request or make_request()
    frame = FakeFrame(organizations=[FakeOrganization(), FakeOrganization(slug="acme-test", mode="TEST")])
    template = Template(CottonCompiler().process("{% load rocket %}" + source))
    page = RequestContext(request)
    page.push({"frame": frame, **context})
    return template.render(page)
