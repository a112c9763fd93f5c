"""Erasing a person: what identifies them goes, what explains money stays under a pseudonym (ADR 7).

`rewards.services.erasing` calls this inside the transaction in which the person's rewards end.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.expressions import RawSQL

from integrations.models import Connection
from integrations.registry import provider_of
from participants.attribution import InvalidEmail, email_key
from participants.customers import provider_ids
from participants.importing.models import RowState
from participants.models import (
    Customer,
    Erasure,
    ErasureKey,
    Forgetting,
    ImportRow,
    Participant,
    Payment,
    ProviderCustomer,
    QualifyingEvent,
)
from referral_rocket.accounts.models import Organization
from referral_rocket.kit import clock
from referral_rocket.kit.signing import hex_signature


def customer_lock(customer_id: UUID) -> Customer:
    """The customer under lock, after all its participants in key order: where events of this person are kept apart."""
    list(
        Participant.objects.select_for_update(no_key=True)
        .filter(customer=customer_id)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    # Not FOR UPDATE: whoever has made a row of this customer's takes its key's lock at the commit, and may hold a
    # reward that is waited for here. The update that takes the full lock comes last, when nothing is waited for.
    return Customer.objects.select_for_update(no_key=True).get(pk=customer_id)


def identity_erase(*, organization: Organization, customer: Customer, actor: str) -> Erasure:
    """Empty everything by which the customer, held by `customer_lock`, could be known; at once and for good.

    What an issuing under way needs to end is kept with the Erasure, encrypted, until it has ended; what payment systems
    told of them is emptied by a sweep (`traces_forget`).
    """
    links = ProviderCustomer.objects.filter(customer=customer)
    held_ids = dict(links.values_list("provider", "provider_id"))
    now = clock.wall()
    erasure = Erasure.objects.create(
        organization=organization,
        customer=customer,
        held={"email": customer.email, "name": customer.name, "provider_ids": held_ids},
        actor=actor,
        requested_at=now,
    )
    _trace(organization, customer, held_ids)
    theirs = Q(customer=customer) | Q(provider_customer_id__in=held_ids.values(), customer__isnull=True)
    Payment.objects.filter(theirs).update(email=None, provider_customer_id=None, metadata={})
    QualifyingEvent.objects.filter(participant__customer=customer).update(metadata={})
    Participant.objects.filter(customer=customer).exclude(ban_reason="").update(ban_reason="")
    links.delete()
    _forget_rows(customer.email_key)
    customer.erased_hash = _hash(_key_made(organization), customer.email_key)
    customer.email = customer.external_id = None
    customer.name = ""
    # Never an address, which has an @; unique, since the same person may come back and be erased once more.
    customer.email_key = f"erased:{customer.pk}"
    customer.pseudonym = f"Erased person {customer.pk.hex[-8:]}"
    customer.erased_at = clock.now(organization)
    customer.save()
    return erasure


def _trace(organization: Organization, customer: Customer, provider_ids: Mapping[str, str]) -> None:
    """Also by what their payments said of them, unless it is what somebody else here is known by."""
    emails = {customer.email_key, *([customer.email] if customer.email else [])}
    ids = {(key, found) for key, found in provider_ids.items()}
    told = Payment.objects.filter(customer=customer).values_list(
        "email", "provider_customer_id", "connection__provider"
    )
    for email, known_as, provider in told.distinct():
        emails |= {email} if email else set()
        ids |= {(provider_of(provider).person_key, known_as)} if known_as else set()
    keys = _keys(emails)
    keys -= set(Customer.objects.filter(email_key__in=keys).exclude(pk=customer.pk).values_list("email_key", flat=True))
    others = ProviderCustomer.objects.filter(provider_id__in=[found for _, found in ids]).exclude(customer=customer)
    by_key: dict[str, list[str]] = {}
    for key, found in sorted(ids - set(others.values_list("provider", "provider_id"))):
        by_key.setdefault(key, []).append(found)
    traces_forget(organization=organization, emails=keys, ids=by_key)


def traces_forget(*, organization: Organization, emails: Iterable[str], ids: Mapping[str, Iterable[str]]) -> Forgetting:
    """Have emptied what payment systems told of whoever has these addresses, or these ids at providers (by person_key)."""
    marks = {"emails": sorted(_keys(emails)), "ids": {key: list(found) for key, found in ids.items()}}
    return Forgetting.objects.create(organization=organization, marks=marks, requested_at=clock.wall())


def everything_forget(*, organization: Organization, connection: Connection) -> Forgetting:
    """Have emptied all that a connection told."""
    return Forgetting.objects.create(
        organization=organization, marks={"all_of": str(connection.pk)}, requested_at=clock.wall()
    )


def account_forget(*, organization: Organization, connection: Connection) -> int:
    """Empty what a connection's payments say of people, and their ids at its provider; of how many participants' payments.

    The people themselves stay: the organization has them, from wherever else they are known.
    """
    payments = Payment.objects.filter(connection=connection)
    known_as = payments.filter(provider_customer_id__isnull=False).values("provider_customer_id")
    key = provider_of(connection.provider).person_key
    ProviderCustomer.objects.filter(provider=key, provider_id__in=known_as).delete()
    people: int = payments.filter(customer__isnull=False).values("customer").distinct().count()
    payments.update(email=None, provider_customer_id=None, metadata={})
    return people


def _keys(emails: Iterable[str]) -> set[str]:
    keys = set()
    for email in emails:
        try:
            keys.add(email_key(email))
        except InvalidEmail:
            # What is no address by our rules may still be what a payment system has.
            keys.add(email.strip().lower())
    return keys


def _forget_rows(key: str) -> None:
    """What imports keep of the person's rows: cells, values, what they were matched by. The line stays, for an undo."""
    rows = ImportRow.objects.filter(email_key=key)
    rows.filter(state__in=[RowState.NEW, RowState.EXISTING]).update(
        state=RowState.WRONG, problem="erased", reason="This person was erased."
    )
    rows.update(cells=[], values={}, filled=None, email_key="", external_id="", code="", key="", referrer_email="",
                referrer_code="", referrer_key="")  # fmt: skip
    # And of rows that name the person as their referrer.
    brought = ImportRow.objects.filter(referrer_email=key)
    brought.filter(state__in=[RowState.NEW, RowState.EXISTING]).update(
        state=RowState.WRONG, problem="referrer_wrong", reason="The referrer was erased."
    )
    brought.update(cells=[], values=RawSQL("\"values\" - 'referrer'", []), referrer_email="")


def was_erased(organization: Organization, key: str) -> bool:
    """Whether a person with this e-mail key was ever erased here. At most two queries."""
    return bool(erased_among(organization, {key}))


def erased_among(organization: Organization, keys: Collection[str]) -> set[str]:
    """Those of the e-mail keys whose person was ever erased here. At most two queries."""
    stored = ErasureKey.objects.filter(organization=organization).first() if keys else None
    if stored is None:
        return set()
    hashes = {_hash(stored.key, key): key for key in keys}
    found = Customer.objects.filter(erased_hash__in=hashes).values_list("erased_hash", flat=True)
    return {hashes[each] for each in found if each is not None}


def held_identity(customer: Customer) -> dict[str, Any]:
    """Under what a customer is issued to: `{email, name, provider_ids}`; of an erased one while an issuing ends."""
    if customer.erased_at is not None:
        erasure = Erasure.objects.filter(customer=customer).first()
        held: dict[str, Any] = erasure.held if erasure is not None and erasure.held else {}
        return {"email": None, "name": "", "provider_ids": {}, **held}
    return {"email": customer.email, "name": customer.name, "provider_ids": provider_ids(customer)}


def _key_made(organization: Organization) -> str:
    # Of two first erasures at once the later one waits for the row and then uses it.
    made = ErasureKey(organization=organization, key=secrets.token_hex(32))
    ErasureKey.objects.bulk_create([made], ignore_conflicts=True)
    return ErasureKey.objects.get(organization=organization).key


def _hash(key: str, email: str) -> str:
    return hex_signature(key, email.encode())
