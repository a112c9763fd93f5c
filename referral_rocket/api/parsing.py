"""Bodies: JSON in UTF-8, at most 1 MB, an object, no name twice, no numbers that JSON doesn't have."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.http import HttpRequest
from django.http.request import UnreadablePostError
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from referral_rocket.api.answers import JSON
from referral_rocket.api.problems import TooLarge

MAXIMUM_BODY = 1_000_000
# Conditions nest five deep, metadata is the sender's; nobody writes more than this by hand.
MAXIMUM_DEPTH = 32


class StrictJSONParser(BaseParser):
    media_type = JSON

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return parse(_read(stream))


def body_of(request: HttpRequest) -> dict[str, Any]:
    """The request's JSON object; `{}` where there is no body.

    A body that says that it is too large isn't read at all, and one that is, not to its end. Raises TooLarge,
    UnsupportedMediaType, ParseError.
    """
    length = request.headers.get("Content-Length") or "0"
    if not length.isascii() or not length.isdigit():
        raise ParseError("Content-Length is no number.")
    if int(length) > MAXIMUM_BODY:
        raise TooLarge()
    try:
        body = _read(_stream(request))
    except (UnreadablePostError, OSError) as error:
        raise ParseError("The body could not be read to its end.") from error
    if not body:
        return {}
    if request.content_type != JSON:
        raise UnsupportedMediaType(request.content_type or "none", "Send the body as application/json.")
    return parse(body)


def _stream(request: HttpRequest) -> Any:
    """Django reads as much as Content-Length says; a chunked body has none, and its server says where it ends."""
    if "Content-Length" in request.headers or "Transfer-Encoding" not in request.headers:
        return request
    if not request.META.get("wsgi.input_terminated"):
        raise ParseError("Send the body with a Content-Length.")
    return request.META["wsgi.input"]


def _read(stream: Any) -> bytes:
    body: bytes = stream.read(MAXIMUM_BODY + 1)
    if len(body) > MAXIMUM_BODY:
        raise TooLarge()
    return body


def parse(body: bytes) -> dict[str, Any]:
    """Raises ParseError, saying what is wrong with the body."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise ParseError("The body isn't UTF-8.") from error
    except RecursionError as error:
        raise ParseError("The body is nested too deeply.") from error
    except ValueError as error:
        raise ParseError(f"The body isn't JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ParseError("The body has to be a JSON object.")
    _check(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _check(value: Any, depth: int = 1) -> None:
    if depth > MAXIMUM_DEPTH:
        raise ParseError("The body is nested too deeply.")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_text(name)
            _check(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _check(each, depth + 1)


def _check_text(text: str) -> None:
    # Neither NUL nor half of a surrogate pair can be stored.
    if "\x00" in text:
        raise ParseError("The body has a NUL character, which can't be stored.")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ParseError("The body has half of a surrogate pair, which is no character.")
