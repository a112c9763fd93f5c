"""What providers ask in the name of people's privacy, carried out: each message in a transaction of its own.

Not together with the messages of a claim: an erasing takes its locks in an order of its own (docs/locking.md). Asked
twice, at once or later, the second finds nobody: the organization's lock of dispatch.py keeps two workers apart, and a
person who was erased isn't found by an address or an id any more. Killed before its commit, nothing happened.

An app has one address for such messages, wherever it is installed. So before one is carried out it is also stored at the
other connections to the same account, of the test twin and of other organizations, where the same secret verifies it:
whoever signed it may ask there too. Copies have the key of the original, so passing on again changes nothing.
"""

from datetime import timedelta

from django.utils import formats, timezone

from integrations.errors import UnreadableEvent
from integrations.models import Connection
from integrations.privacy import PrivacyAsked, PrivacyKind, ReadsPrivacy
from integrations.reading import parsed
from integrations.registry import provider_of
from integrations.selectors import accepted_secrets
from integrations.services import connection_disconnect
from participants.erasing import account_forget, everything_forget, traces_forget
from participants.models import Customer, Payment, PaymentReference, ProviderCustomer
from participants.selectors import customer_by_email
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import every_organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from rewards.services.erasing import person_erase
from webhooks.inbound.models import InboundEvent, InboundStatus

# Shopify's own limit for such requests, and the law's of most places (GDPR, art. 12: a month).
TIME_TO_ANSWER = timedelta(days=30)


def reader_of(event: InboundEvent) -> ReadsPrivacy | None:
    """What reads the event, if it is one about privacy."""
    reader = provider_of(event.connection.provider).privacy
    return reader if reader is not None and event.event_type in reader.types else None


def carry_out(organization: Organization, event: InboundEvent) -> None:
    """Do what the event asks, and note what came of it. Inside `tenant()`, the event held."""
    reader = reader_of(event)
    assert reader is not None
    try:
        asked = reader.read(event.event_type, parsed(bytes(event.body), event.connection.provider_name))
        used, said = _done(organization, event, reader, asked)
    except UnreadableEvent as error:
        used, said = False, str(error)
    event.status = InboundStatus.PROCESSED if used else InboundStatus.IGNORED
    event.reason, event.processed_at = said[:500], clock.wall()
    event.save(update_fields=["status", "reason", "processed_at"])


def _done(
    organization: Organization, event: InboundEvent, reader: ReadsPrivacy, asked: PrivacyAsked
) -> tuple[bool, str]:
    connection, actor = event.connection, f"webhook:{event.connection.provider}"
    ours = reader.account(connection.credentials, connection.account)
    if ours is not None and ours != asked.account:
        return False, f"It is about {asked.account}, and this connection is to {ours}: nothing was done here."
    if asked.kind == PrivacyKind.FORGET_ACCOUNT:
        return True, _account_forgotten(organization, connection, actor)
    person, somebody_else = _person(connection, asked)
    if asked.kind == PrivacyKind.TELL_PERSON:
        return True, _to_be_told(organization, connection, person, actor)
    said = _person_forgotten(organization, connection, asked, person, actor)
    if somebody_else is not None:
        said += (
            f" Somebody else here has the e-mail address that it names (customer {somebody_else.pk}): if they are the same"
            " person, erase them on their page."
        )
    return True, said


def _person(connection: Connection, asked: PrivacyAsked) -> tuple[Customer | None, Customer | None]:
    """Who is meant: the owner of the provider's id, else of the address; and who has the address besides.

    Only one is erased by itself: erasing can't be undone, and it ends what is owed.
    """
    by_id = None
    if asked.provider_customer_id:
        key = provider_of(connection.provider).person_key
        link = ProviderCustomer.objects.filter(provider=key, provider_id=asked.provider_customer_id)
        by_id = Customer.objects.filter(pk__in=link.values("customer")).first()
    by_email = customer_by_email(asked.email) if asked.email else None
    if by_id is None:
        return by_email, None
    return by_id, by_email if by_email is not None and by_email.pk != by_id.pk else None


def _person_forgotten(
    organization: Organization, connection: Connection, asked: PrivacyAsked, person: Customer | None, actor: str
) -> str:
    references = PaymentReference.objects.filter(
        connection=connection, value__in=[reference.value for reference in asked.references]
    )
    payments = Payment.objects.filter(pk__in=list(references.values_list("payment", flat=True)), customer__isnull=True)
    payments.update(email=None, provider_customer_id=None, metadata={})
    if person is not None:
        person_erase(organization=organization, customer_id=person.pk, actor=actor)
    traces_forget(
        organization=organization,
        emails=[asked.email] if asked.email else [],
        ids={
            provider_of(connection.provider).person_key: [
                *([asked.provider_customer_id] if asked.provider_customer_id else []),
                *(reference.value for reference in asked.references),
            ]
        },
    )
    if person is None:
        return "Nobody who takes part here is known by it. What is stored of their payments is emptied within minutes."
    return (
        f"{person_name(person)} was erased in all campaigns, and open rewards were canceled. What is stored of their"
        " payments is emptied within minutes."
    )


def person_name(person: Customer) -> str:
    """The pseudonym, which only the row has after the erasing."""
    return Customer.objects.values_list("pseudonym", flat=True).get(pk=person.pk) or f"Customer {person.pk}"


def _to_be_told(organization: Organization, connection: Connection, person: Customer | None, actor: str) -> str:
    until = formats.date_format(timezone.localtime(clock.wall() + TIME_TO_ANSWER, organization.zone), "j F Y")
    who = "Nobody who takes part here is known by it" if person is None else f"They are customer {person.pk} here"
    happening = Happening("privacy.data_requested", "connection", connection.pk, data={"until": until})
    record(organization=organization, actor=actor, happenings=[happening])
    return (
        f"A person has to answer this: somebody asks what is kept about them. {who}. Give the shop's owner what their"
        f" participant's page and the messages here show of them, by {until}."
    )


def _account_forgotten(organization: Organization, connection: Connection, actor: str) -> str:
    connection_disconnect(connection=connection, actor=actor)
    people = account_forget(organization=organization, connection=connection)
    everything_forget(organization=organization, connection=connection)
    return (
        "The app was removed from this account: the connection is disconnected, and all that it told is emptied within"
        f" minutes. {people} of its customers take part here and stay, since they are yours too: erase those who have to"
        " go on their pages."
    )


def pass_on(event: InboundEvent) -> int:
    """Store the event at the other connections that it is also for; at how many it is new. Opens its own scope."""
    reader = reader_of(event)
    assert reader is not None
    try:
        asked = reader.read(event.event_type, parsed(bytes(event.body), event.connection.provider_name))
    except UnreadableEvent:
        return 0
    now = clock.wall()
    secrets = set(accepted_secrets(event.connection, now))
    with every_organization("passing on what an app is asked"):
        others = Connection.objects.filter(provider=event.connection.provider).exclude(pk=event.connection_id)
        copies = [
            InboundEvent(
                organization_id=other.organization_id,
                connection=other,
                provider_event_id=event.provider_event_id,
                event_type=event.event_type,
                livemode=event.livemode,
                body=bytes(event.body),
                received_at=event.received_at,
                next_attempt_at=now,
            )
            for other in others.iterator(chunk_size=200)
            if reader.account(other.credentials, other.account) == asked.account
            and secrets & set(accepted_secrets(other, now))
        ]
        known = set(
            InboundEvent.objects.filter(
                provider_event_id=event.provider_event_id, connection__in=[copy.connection_id for copy in copies]
            ).values_list("connection", flat=True)
        )
        InboundEvent.objects.bulk_create(copies, ignore_conflicts=True)
    return sum(copy.connection_id not in known for copy in copies)
