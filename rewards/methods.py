"""The methods that a batch can use: by hand, and what the connected providers offer."""

from dataclasses import dataclass

from campaigns.services import MANUAL
from integrations import registry
from integrations.models import Connection
from integrations.selectors import available_methods


@dataclass(frozen=True)
class Choice:
    """A line of the Issue Reward menu. `connection` is None for MANUAL and files."""

    method: str
    label: str
    explanation: str
    connection: Connection | None


MANUAL_CHOICE = Choice(
    MANUAL,
    "Mark as issued manually",
    "For rewards that you have given outside, such as a bank transfer or a voucher. Nothing is sent.",
    None,
)


def choices() -> list[Choice]:
    """What can be offered now: a line per method and active connection, then files and MANUAL. One query."""
    found = []
    for available in available_methods():
        several = len(available.connections) > 1
        for connection in available.connections:
            label = (
                f"{available.method.label} ({connection.account or connection.pk})"
                if several
                else available.method.label
            )
            found.append(Choice(available.method.slug, label, available.method.explanation, connection))
    files = [
        Choice(method.slug, method.label, method.explanation, None) for method in registry.methods() if method.file
    ]
    return [*found, *files, MANUAL_CHOICE]
