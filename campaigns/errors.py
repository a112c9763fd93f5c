"""What can go wrong with a campaign. `errors` are (field, code, message), the field as the API spells it."""

from collections.abc import Sequence


class InvalidCampaign(Exception):
    def __init__(self, errors: Sequence[tuple[str, str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, _, message in errors))
        self.errors = list(errors)


class CampaignConflict(Exception):
    """The change doesn't fit the campaign's present state. `code` is the API's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ImpossibleCampaign(InvalidCampaign):
    """Each field is well-formed, but together they can't be."""
