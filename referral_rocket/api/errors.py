"""What the domain raises, as the API answers it: one table."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError

from campaigns.errors import CampaignConflict, ImpossibleCampaign, InvalidCampaign
from integrations.errors import ConnectionRequired as NoConnection
from integrations.errors import InvalidCredentials, ModeMismatch
from participants.attribution import InvalidEmail
from participants.errors import IdTaken, PersonErased, ReferralRefused, SelfReferral, UnknownReferralCode
from referral_rocket.accounts.errors import ClockRefused
from referral_rocket.api.problems import Problem, invalid
from rewards.dry_run import TooManyEvents
from rewards.errors import (
    AmountExceedsOwed,
    BatchHasNoFile,
    BatchNotCancelable,
    BatchNotReady,
    BeingIssued,
    BudgetExhausted,
    ConnectionRequired,
    EarnsNothing,
    EventRefused,
    ExternalRefConflict,
    FulfilledByMethod,
    InvalidReward,
    InvalidRewardTransition,
    SamePerson,
    TransactionConflict,
    UnknownRewards,
)
from webhooks.outbound.errors import AddressNotAllowed, EndpointConflict, InvalidEndpoint

# Error -> (status, code). A code of None is the error's own. A 400 names its fields.
TABLE: Mapping[type[Exception], tuple[int, str | None]] = {
    ImpossibleCampaign: (422, "impossible"),
    InvalidCampaign: (400, "invalid"),
    CampaignConflict: (409, None),
    InvalidEmail: (400, "invalid"),
    UnknownReferralCode: (422, None),
    SelfReferral: (422, None),
    ReferralRefused: (409, None),
    IdTaken: (409, None),
    PersonErased: (409, None),
    # 400 where a field is to blame: see _refused_event.
    EventRefused: (422, None),
    TransactionConflict: (409, None),
    ExternalRefConflict: (409, None),
    UnknownRewards: (404, None),
    ConnectionRequired: (422, None),
    NoConnection: (422, None),
    BudgetExhausted: (422, None),
    EarnsNothing: (422, None),
    InvalidReward: (400, "invalid"),
    InvalidRewardTransition: (409, None),
    BeingIssued: (409, None),
    FulfilledByMethod: (409, None),
    AmountExceedsOwed: (422, None),
    BatchNotCancelable: (409, None),
    BatchHasNoFile: (404, None),
    BatchNotReady: (409, None),
    SamePerson: (409, None),
    InvalidCredentials: (400, "invalid"),
    ModeMismatch: (422, None),
    InvalidEndpoint: (400, "invalid"),
    AddressNotAllowed: (422, None),
    EndpointConflict: (409, None),
    TooManyEvents: (422, None),
    ClockRefused: (422, "clock_moves_forward_only"),
    ValidationError: (400, "invalid"),
}

_FIELD_OF: Mapping[type[Exception], str] = {InvalidEmail: "email"}


def domain_problem(error: Exception) -> Problem | None:
    """The problem for an error of the domain; None for one that isn't in the table, which is a defect of ours."""
    entry = next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)
    if entry is None:
        return None
    status, code = entry
    if isinstance(error, EventRefused) and error.field is not None:
        return invalid([(error.field, error.code, error.message)])
    if status == 400:
        return invalid(_fields(error))
    fields = error.errors if isinstance(error, ImpossibleCampaign) else ()
    return Problem(status, code or str(getattr(error, "code", "")), str(error), fields)


def _fields(error: Exception) -> list[tuple[str, str, str]]:
    if isinstance(error, InvalidCampaign | InvalidCredentials | InvalidEndpoint):
        return list(error.errors)
    if isinstance(error, InvalidReward):
        return [(error.field, error.code, error.message)]
    if isinstance(error, ValidationError):
        by_field = error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}
        return [
            (field, str(each.code or "invalid"), " ".join(each.messages))
            for field, errors in by_field.items()
            for each in errors
        ]
    return [(_FIELD_OF[type(error)], "invalid", str(error))]
