"""What can go wrong with participants, named by the codes of api.md. `message` is for the person who asked."""


class ParticipantsError(Exception):
    code = "invalid"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnknownReferralCode(ParticipantsError):
    code = "unknown_referral_code"


class SelfReferral(ParticipantsError):
    code = "self_referral"

    def __init__(self) -> None:
        super().__init__("This is the participant's own code, and nobody refers themselves.")


class ReferralRefused(ParticipantsError):
    """The referrer can't be set any more: there is one, an event has counted, or the chain would close."""

    code = "referral_refused"


class IdTaken(ParticipantsError):
    """Another customer has this external or provider id."""

    code = "id_taken"


class CodeTaken(ParticipantsError):
    """Somebody has this referral code: they are unique across the installation."""

    code = "code_taken"


class PersonErased(ParticipantsError):
    """The customer was erased: nothing about the person is written any more."""

    code = "participant_erased"
