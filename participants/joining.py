"""Joining a campaign: the one door by which people become participants, one at a time or hundreds at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from campaigns.models import Campaign
from participants.attribution import InvalidEmail, email_key, new_code, normalised_code
from participants.customers import customer_change, provider_customer_link
from participants.erasing import erased_among
from participants.errors import (
    CodeTaken,
    IdTaken,
    ParticipantsError,
    ReferralRefused,
    SelfReferral,
    UnknownReferralCode,
)
from participants.models import Customer, Participant, ProviderCustomer
from participants.payloads import participant_data
from referral_rocket.accounts.models import Organization
from referral_rocket.activity.services import Happening, record
from referral_rocket.kit import clock
from referral_rocket.kit.ids import uuid7
from referral_rocket.kit.inserting import rows_insert


@dataclass(frozen=True)
class Joined:
    participant: Participant
    created: bool
    customer_created: bool = False


@dataclass(frozen=True)
class Joining:
    """What one person joins with. The referrer is named by `referral_code`, or by `referrer_id`: a participant's id, or
    the `id` of an earlier one of the same call.

    `email_key` may be given where it was worked out already. `own_code` is a code that the person has from elsewhere; without one a new code is drawn. `attributed_at` is when the
    referral began to count, by default when the person joined. With a `ban_reason` the person is banned from the start.
    """

    email: str
    email_key: str | None = None
    name: str = ""
    external_id: str | None = None
    provider_ids: Mapping[str, str] = field(default_factory=dict)
    referral_code: str | None = None
    referrer_id: UUID | None = None
    own_code: str | None = None
    joined_at: datetime | None = None
    attributed_at: datetime | None = None
    ban_reason: str = ""
    id: UUID = field(default_factory=uuid7)


Outcome = Joined | ParticipantsError | InvalidEmail


@transaction.atomic
def participants_join(
    *,
    organization: Organization,
    campaign: Campaign,
    joinings: Sequence[Joining],
    actor: str,
    recorded_at: datetime | None = None,
    told: bool = True,
) -> list[Outcome]:
    """Make people participants; the outcomes are in the order of `joinings`. Some fifteen queries however many there are.

    Who is in the campaign already is answered unchanged. A refusal is an outcome and nothing of that person is written:
    InvalidEmail, UnknownReferralCode, SelfReferral, ReferralRefused (the earlier one whom it names was refused), IdTaken.
    With `told` false it goes on record and no webhook hears of it.

    Whoever was erased before may join again, but isn't referred again: a person could else be brought, erased and brought
    once more. Two joins of one person at once give one participant: the second meets the unique key and is answered with
    the first one's. What only shows while it is written (an id or code that somebody takes at the same moment) is raised,
    IdTaken or CodeTaken, and takes the whole call back.
    """
    work = _Work(organization, campaign, joinings, clock.now(organization))
    work.look_up()
    work.judge()
    work.make_customers()
    work.make_participants()
    record(
        organization=organization,
        actor=actor,
        at=recorded_at or work.now,
        happenings=[each for joining in work.created for each in work.happenings(joining, told)],
        told=told,
    )
    return [work.outcome_of(joining) for joining in joinings]


class _Work:
    def __init__(
        self, organization: Organization, campaign: Campaign, joinings: Sequence[Joining], now: datetime
    ) -> None:
        self.organization, self.campaign, self.now = organization, campaign, now
        self.refused: dict[UUID, ParticipantsError | InvalidEmail] = {}
        self.joined: dict[UUID, Joined] = {}
        self.keys: dict[UUID, str] = {}
        for joining in joinings:
            try:
                self.keys[joining.id] = joining.email_key or email_key(joining.email)
            except InvalidEmail as error:
                self.refused[joining.id] = error
        self.joinings = [joining for joining in joinings if joining.id in self.keys]
        self.first: dict[str, Joining] = {}
        for joining in self.joinings:
            self.first.setdefault(self.keys[joining.id], joining)
        self.referrers: dict[UUID, Participant] = {}
        self.new: list[Joining] = []
        self.pending: set[UUID] = set()
        self.created: list[Joining] = []
        self.customers: dict[str, Customer] = {}
        self.customers_made: set[str] = set()

    def outcome_of(self, joining: Joining) -> Outcome:
        if joining.id in self.refused:
            return self.refused[joining.id]
        if joining.id in self.joined:
            return self.joined[joining.id]
        # The same person twice in one call.
        first = self.outcome_of(self.first[self.keys[joining.id]])
        return Joined(first.participant, created=False) if isinstance(first, Joined) else first

    def look_up(self) -> None:
        keys = set(self.first)
        sharers = Participant.objects.select_related("customer")
        codes = {normalised_code(each.referral_code) for each in self.joinings if each.referral_code}
        ids = {each.referrer_id for each in self.joinings if each.referrer_id} - set(self.keys)
        self.by_code = (
            {each.referral_code: each for each in sharers.filter(campaign=self.campaign, referral_code__in=codes)}
            if codes
            else {}
        )
        self.by_id = {each.pk: each for each in sharers.filter(campaign=self.campaign, pk__in=ids)} if ids else {}
        self.known = self._known(keys)
        self.erased = erased_among(
            self.organization,
            {self.keys[each.id] for each in self.joinings if each.referral_code or each.referrer_id},
        )
        self.customers = {
            each.email_key: each for each in Customer.objects.filter(email_key__in=keys - set(self.known))
        }
        self._look_up_ids()

    def _known(self, keys: Iterable[str]) -> dict[str, Participant]:
        found = Participant.objects.select_related("customer", "referred_by").filter(
            campaign=self.campaign, customer__email_key__in=list(keys)
        )
        return {each.customer.email_key: each for each in found}

    def _look_up_ids(self) -> None:
        external = {each.external_id for each in self.joinings if each.external_id}
        provided = {value for each in self.joinings for value in each.provider_ids.values()}
        self.external_ids: dict[str | None, str] = (
            dict(Customer.objects.filter(external_id__in=external).values_list("external_id", "email_key"))
            if external
            else {}
        )
        links = (
            ProviderCustomer.objects.filter(provider_id__in=provided) if provided else ProviderCustomer.objects.none()
        )
        self.provided: dict[tuple[str, str], str] = {
            (provider, value): key
            for provider, value, key in links.values_list("provider", "provider_id", "customer__email_key")
        }

    def judge(self) -> None:
        """Answer those who are known, refuse what can't be, and leave the others in `new`."""
        for joining in self.joinings:
            key = self.keys[joining.id]
            try:
                # Before anything is written, and before those who are known: a wrong code is told whoever names it.
                referrer = self._referrer(joining, key)
                if key in self.known:
                    # Somebody who joins again must not be able to say where a customer's credit goes.
                    self.joined[joining.id] = Joined(self.known[key], created=False)
                elif self.first[key] is joining:
                    self._check_ids(joining, key)
                    if referrer is not None and key not in self.erased:
                        self.referrers[joining.id] = referrer
                    self.new.append(joining)
                    self.pending.add(joining.id)
            except ParticipantsError as error:
                self.refused[joining.id] = error

    def _referrer(self, joining: Joining, key: str) -> Participant | None:
        if joining.referrer_id in self.keys:
            return self._earlier(joining, key)
        if joining.referrer_id is None and not joining.referral_code:
            return None
        if joining.referrer_id is not None:
            referrer = self.by_id.get(joining.referrer_id)
        else:
            referrer = self.by_code.get(normalised_code(joining.referral_code or ""))
        if referrer is None or referrer.customer.erased_at is not None:
            raise UnknownReferralCode(
                f"No participant of this campaign has the referral code {joining.referral_code}."
                if joining.referral_code
                else "Who referred this person isn't in this campaign."
            )
        if referrer.customer.email_key == key:
            raise SelfReferral()
        return referrer

    def _earlier(self, joining: Joining, key: str) -> Participant:
        """The referrer who joins in this same call; what is not made yet stands under the id that it will have."""
        assert joining.referrer_id is not None
        first = self.first[self.keys[joining.referrer_id]]
        if self.keys[first.id] == key:
            raise SelfReferral()
        if first.id in self.joined:
            return self.joined[first.id].participant
        if first.id not in self.pending:
            raise ReferralRefused("Who referred this person didn't join.")
        return Participant(pk=first.id, campaign=self.campaign)

    def _check_ids(self, joining: Joining, key: str) -> None:
        known = self.customers.get(key)
        wanted = joining.external_id if known is None or known.external_id is None else None
        if wanted and self.external_ids.setdefault(wanted, key) != key:
            raise IdTaken(f"Another customer has the external id {wanted}.")
        for provider, value in joining.provider_ids.items():
            if self.provided.setdefault((provider, value), key) != key:
                raise IdTaken(f"Another customer has the {provider} id {value}.")

    def make_customers(self) -> None:
        """What is already known about a customer is not overwritten."""
        there = set(self.customers)
        # In key order, as docs/locking.md wants it: two that insert the same people wait for each other one way only.
        wanted = sorted((key, each) for key, each in self._keyed(self.new) if key not in there)
        rows = [
            Customer(
                organization=self.organization,
                email=joining.email.strip(),
                email_key=key,
                name=joining.name.strip(),
                external_id=joining.external_id or None,
                created_at=self.now,
            )
            for key, joining in wanted
        ]
        if rows:
            made = rows_insert(rows, skip_conflicts=True)
            self.customers |= {row.email_key: row for row in rows if row.pk in made}
            self.customers_made = {row.email_key for row in rows if row.pk in made}
            others = [row.email_key for row in rows if row.pk not in made]
            if others:
                self.customers |= {each.email_key: each for each in Customer.objects.filter(email_key__in=others)}
        for joining in self.new:
            if self.keys[joining.id] not in self.customers:
                raise IdTaken(f"Another customer has the external id {joining.external_id}.")
        self._note_ids()

    def _keyed(self, joinings: Iterable[Joining]) -> Iterator[tuple[str, Joining]]:
        return ((self.keys[joining.id], joining) for joining in joinings)

    def _note_ids(self) -> None:
        links = []
        for joining in self.new:
            customer = self.customers[self.keys[joining.id]]
            if self.keys[joining.id] in self.customers_made:
                links += [
                    ProviderCustomer(
                        organization=self.organization, customer=customer, provider=provider, provider_id=value
                    )
                    for provider, value in joining.provider_ids.items()
                ]
                continue
            if joining.external_id and customer.external_id is None:
                customer_change(customer=customer, external_id=joining.external_id)
            for provider, value in joining.provider_ids.items():
                provider_customer_link(
                    organization=self.organization, customer=customer, provider=provider, provider_id=value
                )
        if not links:
            return
        stored = rows_insert(links, skip_conflicts=True)
        for link in links:
            if link.pk not in stored:
                raise IdTaken(f"Another customer has the {link.provider} id {link.provider_id}.")

    def make_participants(self) -> None:
        """A drawn code that is taken is drawn again; who became a participant at the same time is answered as known."""
        waiting = list(self.new)
        while waiting:
            rows = {joining.id: self._row(joining) for joining in waiting}
            stored = rows_insert(list(rows.values()), skip_conflicts=True)
            missed = [joining for joining in waiting if joining.id not in stored]
            known = self._known(self.keys[each.id] for each in missed) if missed else {}
            for joining in waiting:
                key = self.keys[joining.id]
                if joining.id in stored:
                    made = key in self.customers_made
                    self.joined[joining.id] = Joined(rows[joining.id], created=True, customer_created=made)
                    self.created.append(joining)
                elif key in known:
                    self.joined[joining.id] = Joined(known[key], created=False)
                elif joining.own_code:
                    raise CodeTaken(f"The code {joining.own_code} is in use already.")
            waiting = [joining for joining in missed if joining.id not in self.joined]
        self._follow_known()

    def _row(self, joining: Joining) -> Participant:
        moment = joining.joined_at or self.now
        referrer = self.referrers.get(joining.id)
        return Participant(
            pk=joining.id,
            organization=self.organization,
            campaign=self.campaign,
            customer=self.customers[self.keys[joining.id]],
            referral_code=joining.own_code or new_code(),
            referred_by=referrer,
            attributed_at=(joining.attributed_at or moment) if referrer else None,
            joined_at=moment,
            banned_at=self.now if joining.ban_reason else None,
            ban_reason=joining.ban_reason,
        )

    def _follow_known(self) -> None:
        """Put referrers of this call in place; one may have become a participant by another way at the same time."""
        for joining in self.created:
            row = self.joined[joining.id].participant
            referrer = self.joined.get(row.referred_by_id) if row.referred_by_id else None
            if referrer is None:
                continue
            moved = referrer.participant.pk != row.referred_by_id
            row.referred_by = referrer.participant
            if moved:
                row.save(update_fields=["referred_by"])

    def happenings(self, joining: Joining, told: bool) -> list[Happening]:
        row = self.joined[joining.id].participant
        data = participant_data(row, row.customer, "JOINED") if told else None
        came_back = bool(joining.referral_code or joining.referrer_id) and self.keys[joining.id] in self.erased
        referred_by = None if row.referred_by_id is None else str(row.referred_by_id)
        joined = Happening(
            "participant.joined",
            "participant",
            row.pk,
            self.campaign.pk,
            {"referred_by": referred_by, "erased_before": came_back},
            data,
        )
        if not joining.ban_reason:
            return [joined]
        reason = {"reason": joining.ban_reason}
        return [joined, Happening("participant.banned", "participant", row.pk, self.campaign.pk, reason, data)]
