"""What can go wrong with people and access, named for the caller's next move."""


class AccountsError(Exception):
    """`message` is for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvitationNotUsable(AccountsError):
    """Unknown, expired, revoked or used up, or meant for another e-mail."""


class LastOwner(AccountsError):
    """The change would leave an organization without an owner."""


class NotAMember(AccountsError):
    """Who is to own the organization isn't in it, or owns it already."""


class OrganizationBusy(AccountsError):
    """It can't be deleted while something that it owes is being issued."""


class AlreadyMember(AccountsError):
    """The invited person is in the organization already."""


class ClockRefused(AccountsError):
    """A test clock moves forward only, and only in a test organization."""
