"""Reading customers, participants and events."""

from uuid import UUID

from django.db.models import Q, QuerySet

from participants.attribution import InvalidEmail, email_key, normalised_code
from participants.models import Customer, Participant, QualifyingEvent
from referral_rocket.accounts.scoping import every_organization
from referral_rocket.kit.vanishing import points_nowhere

# Upper bound of a prefix range on C-collated text: above every character that a name or address has.
LAST = "\U0010ffff"


def participants(campaign_id: UUID | None = None) -> QuerySet[Participant]:
    found = Participant.objects.select_related("customer", "referred_by")
    return found if campaign_id is None else found.filter(campaign_id=campaign_id)


def participant_by_code(campaign_id: UUID, code: str) -> Participant | None:
    return (
        Participant.objects.select_related("customer")
        .filter(campaign_id=campaign_id, referral_code=normalised_code(code))
        .first()
    )


def shared_link(code: str) -> Participant | None:
    """The participant whose share link `code` is, across organizations: the visitor is nobody's tenant yet."""
    with every_organization("referral-code look-up"):
        return (
            Participant.objects.select_related("customer", "campaign", "organization")
            .filter(referral_code=normalised_code(code), organization__deleted_at__isnull=True)
            .first()
        )


def customers_beginning_with(text: str) -> QuerySet[Customer]:
    """Customers whose e-mail, name or external id begins with `text`: ranges, so that an index serves (ADR tenancy)."""
    text = text.strip()
    lower = text.lower()
    return Customer.objects.filter(
        Q(email_key__gte=lower, email_key__lt=lower + LAST)
        | Q(name__gte=text, name__lt=text + LAST)
        | Q(external_id__gte=text, external_id__lt=text + LAST)
    )


def customer_by_email(email: str) -> Customer | None:
    try:
        return Customer.objects.filter(email_key=email_key(email)).first()
    except InvalidEmail:
        return None


def events() -> QuerySet[QualifyingEvent]:
    return QualifyingEvent.objects.select_related("participant__customer", "campaign", "payment")


def has_counted_event(participant: Participant, *, besides_payment: UUID | None = None) -> bool:
    """Whether an event of the participant stands; those of `besides_payment` aren't looked at."""
    found = QualifyingEvent.objects.filter(participant=participant, undone_at__isnull=True)
    if besides_payment is not None:
        found = found.exclude(payment=besides_payment)
    return found.exists()


def removed_meanwhile(error: BaseException) -> bool:
    """Whether an import's undo removed a participant between its look-up and this error (docs/locking.md).

    Nothing of the transaction was done.
    """
    return points_nowhere(error) or isinstance(error, Participant.DoesNotExist)
