"""Form bodies as Stripe takes them, held against the SDK's own TypedDicts: an unknown or unfit parameter is refused."""

import re
import sys
import types
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

from stripe import RequestOptions
from typing_extensions import is_typeddict

_PART = re.compile(r"^([^\[\]]+)|\[([^\[\]]*)\]")
# Options of the SDK's call, not parameters of the request. Their annotations are inherited as text, so the names of the
# module that they come from are needed to read them, and one that is imported there for type checkers only.
_OPTIONS = frozenset(RequestOptions.__annotations__)
_OPTION_NAMES = {**vars(sys.modules[RequestOptions.__module__]), "StripeContext": str}


class BadParameter(Exception):
    """What Stripe would refuse. `code` is Stripe's."""

    def __init__(self, code: str, parameter: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.parameter = parameter
        self.message = message


def parse(text: str) -> dict[str, Any]:
    """`a[b]=1&c[]=2` as nested dictionaries and lists of texts."""
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        parts = [first or inner for first, inner in _PART.findall(name)]
        place = fields
        for part in parts[:-1]:
            place = place.setdefault(part, {})
        last = parts[-1]
        place[last or str(len(place))] = value
    return fields


def checked(fields: dict[str, Any], shape: type) -> dict[str, Any]:
    """The parameters with numbers and booleans as such. Raises BadParameter."""
    return _object(fields, shape, "")


@lru_cache(maxsize=256)
def _hints(shape: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(shape, localns=_OPTION_NAMES).items() if name not in _OPTIONS}


def _object(fields: dict[str, Any], shape: Any, path: str) -> dict[str, Any]:
    hints = _hints(shape)
    for name in fields:
        if name not in hints:
            full = _full(path, name)
            raise BadParameter("parameter_unknown", full, f"Received unknown parameter: {full}")
    for name in shape.__required_keys__ - _OPTIONS:
        if name not in fields:
            full = _full(path, name)
            raise BadParameter("parameter_missing", full, f"Missing required param: {full}.")
    return {name: _value(value, hints[name], _full(path, name)) for name, value in fields.items()}


def _value(value: Any, hint: Any, path: str) -> Any:
    problems: list[BadParameter] = []
    for choice in _choices(hint):
        try:
            return _one(value, choice, path)
        except BadParameter as problem:
            problems.append(problem)
    # The most telling one: an unknown parameter inside says more than "not an object".
    raise next((problem for problem in problems if problem.code == "parameter_unknown"), problems[0])


def _choices(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) not in (Union, types.UnionType):
        return (hint,)
    choices = tuple(choice for inner in get_args(hint) for choice in _choices(inner))
    # The SDK leaves its enums open (`Literal["a", "b"] | str`), for values to come; Stripe doesn't. `Literal[""]` clears.
    closed = any(get_origin(choice) is Literal and any(get_args(choice)) for choice in choices)
    return tuple(choice for choice in choices if not (closed and choice is str))


def _one(value: Any, hint: Any, path: str) -> Any:
    origin = get_origin(hint)
    if is_typeddict(hint):
        if not isinstance(value, dict):
            raise BadParameter("parameter_invalid_object", path, f"Invalid object: {path}")
        return _object(value, hint, path)
    if origin is Literal:
        if value not in get_args(hint):
            raise BadParameter("parameter_invalid_enum", path, f"Invalid {path}: must be one of {get_args(hint)}")
        return value
    if origin is list:
        items = list(value.values()) if isinstance(value, dict) else [value]
        return [_value(item, get_args(hint)[0], path) for item in items]
    if isinstance(value, dict):
        # Dict[str, str] and the SDK's untyped object: both are free maps of texts (metadata).
        if hint in (str, int, bool, float) or not all(isinstance(inner, str) for inner in value.values()):
            raise BadParameter("parameter_invalid_string", path, f"Invalid string: {path}")
        return value
    return _scalar(value, hint, path)


def _scalar(value: str, hint: Any, path: str) -> Any:
    if hint is int:
        if not re.fullmatch(r"-?\d{1,15}", value):
            raise BadParameter("parameter_invalid_integer", path, f"Invalid integer: {value}")
        return int(value)
    if hint is float:
        if not re.fullmatch(r"\d{1,9}(\.\d{1,4})?", value):
            raise BadParameter("parameter_invalid_decimal", path, f"Invalid decimal: {value}")
        return float(value)
    if hint is bool:
        if value not in ("true", "false"):
            raise BadParameter("parameter_invalid_boolean", path, f"Invalid boolean: {value}")
        return value == "true"
    if hint is not str:
        raise BadParameter("parameter_invalid_object", path, f"Invalid object: {path}")
    return value


def _full(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name
