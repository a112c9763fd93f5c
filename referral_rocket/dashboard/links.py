"""Addresses of pages within the organization that is open."""

from django.http import HttpRequest
from django.urls import reverse


def to(request: HttpRequest, name: str, *arguments: object) -> str:
    """`to(request, "reward", reward.pk)` is `/o/acme/rewards/…`."""
    return reverse(f"dashboard:{name}", args=[request.organization.slug, *arguments])  # type: ignore[attr-defined]
