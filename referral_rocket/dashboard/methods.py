"""How methods are called on pages, and which of them lead to a stand-in instead of the real provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from campaigns.services import MANUAL
from integrations.errors import UnknownProvider
from integrations.models import Connection
from integrations.registry import provider_of, provider_of_method
from rewards import methods
from rewards.services.confirming import BY_WEBHOOK


def method_name(method: str | None) -> str:
    """`By hand`, or the provider's name; a method that isn't built any more is shown by its code."""
    if not method:
        return ""
    if method == MANUAL:
        return "By hand"
    if method == BY_WEBHOOK:
        return "By webhook"
    try:
        return provider_of_method(method).name
    except UnknownProvider:
        return method


def method_label(method: str) -> str:
    """Which of its provider's ways to issue it is, as the Issue Reward menu says; empty where there is only one."""
    try:
        ways = provider_of_method(method).methods
    except UnknownProvider:
        return ""
    return next(each.label for each in ways if each.slug == method) if len(ways) > 1 else ""


def provider_name(slug: str) -> str:
    """The provider's own spelling of its name; one that isn't built any more is shown by its slug."""
    try:
        return provider_of(slug).name
    except UnknownProvider:
        return slug.capitalize()


def is_sandbox(connection: Connection | None) -> bool:
    """Whether the connection's provider is a stand-in here (settings.PROVIDER_API_BASES): nobody is paid by it."""
    return connection is not None and is_sandbox_of(connection.provider)


def is_sandbox_of(provider: str) -> bool:
    """The same for a provider by its slug."""
    return bool(settings.PROVIDER_API_BASES.get(provider))


@dataclass(frozen=True)
class MenuLine:
    """A line of the Issue Reward menu. `key` is how a form names it: the method, and its connection after a colon.

    `meant`: it is the way that was fixed for the rewards in question.
    """

    choice: methods.Choice
    key: str
    icon: str
    sandbox: bool
    meant: bool = False


def menu(method: str = "", connection_id: UUID | None = None) -> Sequence[MenuLine]:
    """What can be issued with now: the way that is meant first, the connected providers' methods, by hand. One query."""
    lines = [
        MenuLine(
            choice,
            key=f"{choice.method}:{choice.connection.pk}" if choice.connection else choice.method,
            icon="send" if choice.connection else "pencil",
            sandbox=is_sandbox(choice.connection),
            meant=choice.method == method and connection_id in (None, choice.connection and choice.connection.pk),
        )
        for choice in methods.choices()
    ]
    return sorted(lines, key=lambda line: not line.meant)
