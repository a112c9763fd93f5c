"""What can go wrong with endpoints and deliveries, named by the codes of api.md."""

from collections.abc import Sequence


class InvalidEndpoint(Exception):
    """`errors` are (field, code, message), the field as the API spells it."""

    def __init__(self, errors: Sequence[tuple[str, str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, _, message in errors))
        self.errors = list(errors)


class AddressNotAllowed(Exception):
    """The URL leads where we don't call."""

    code = "address_not_allowed"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class EndpointConflict(Exception):
    """The endpoint's present state doesn't allow it. `code` is the API's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
