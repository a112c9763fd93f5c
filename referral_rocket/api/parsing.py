"""Bodies: JSON in UTF-8, at most 1 MB, an object, no name twice, no numbers that JSON doesn't have."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from referral_rocket.api.problems import TooLarge

MAXIMUM_BODY = 1_000_000


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(MAXIMUM_BODY + 1)
        if len(body) > MAXIMUM_BODY:
            raise TooLarge()
        return parse(body)


def parse(body: bytes) -> dict[str, Any]:
    """Raises ParseError, saying what is wrong with the body."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ParseError("The body isn't UTF-8.") from error
    except RecursionError as error:
        raise ParseError("The body is nested too deeply.") from error
    except ValueError as error:
        raise ParseError(f"The body isn't JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ParseError("The body has to be a JSON object.")
    if _has_nul(value):
        raise ParseError("The body has a NUL character, which can't be stored.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        # Half of a surrogate pair can't be stored either.
        return "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, dict):
        return any(_has_nul(name) or _has_nul(each) for name, each in value.items())
    return isinstance(value, list) and any(_has_nul(each) for each in value)
