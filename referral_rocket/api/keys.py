"""Authentication by API key: `Authorization: Bearer rr_live_…`."""

from typing import Any

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from referral_rocket.accounts.models import ApiKey
from referral_rocket.accounts.selectors import api_key_by_token


class ApiKeyAuthentication(BaseAuthentication):
    """`request.auth` becomes the ApiKey, whose organization the request runs as."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise exceptions.NotAuthenticated("Send your API key as Authorization: Bearer rr_live_… .")
        key = api_key_by_token(token.strip())
        if key is None:
            raise exceptions.AuthenticationFailed("This API key is unknown, expired or revoked.")
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def actor_of(request: Any) -> str:
    """How the activity log and a reward's history name this caller."""
    return f"api_key:{request.auth.pk}"
