"""Tells the plot to the product, burst by burst, at the time at which it is said to have happened.

Payments come in as stored Stripe webhooks and are worked off by the inbound dispatcher; other events, holding periods,
reviews and batches go through their services. Only people and clicks are plain rows: there are hundreds of them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from campaigns.models import Campaign, CampaignStatus
from campaigns.services import campaign_create, campaign_update
from campaigns.terms import CampaignTerms
from integrations.models import Connection
from participants.models import Click, Customer, Participant, Source
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.services import Happening, record
from referral_rocket.dashboard.sample import stripe_events
from referral_rocket.dashboard.sample.incidents import Incident, Scene, incidents
from referral_rocket.dashboard.sample.issuing import batch_of_the_past
from referral_rocket.dashboard.sample.plot import STRIPE, Burst, Buying, Clicking, Joining, Plot
from referral_rocket.dashboard.sample.recipes import Recipe
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.confirming import reward_approve, reward_confirm, reward_reject
from rewards.services.earning import EventReport, events_record
from rewards.services.releasing import release
from rewards.services.selecting import Selection
from rewards.states import RewardStatus, WaitingFor
from webhooks.inbound import dispatch
from webhooks.inbound.models import InboundEvent

# A reviewer looks at what has waited for so long; younger ones are still waiting when the story ends.
_REVIEWED_AFTER = timedelta(days=5)

_SHARE_REFUNDED = 0.09


@dataclass
class Story:
    """One organization's telling. `actor` is the marketer who presses the buttons, `key_actor` the tenant's own shop."""

    organization: Organization
    plot: Plot
    connection: Connection
    actor: str
    key_actor: str
    random: Random
    now: datetime
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    participants: dict[Joining, Participant] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    # Refunds to come, each with the time at which Stripe tells it.
    refunds: list[tuple[datetime, dict[str, object]]] = field(default_factory=list)
    to_come: list[tuple[datetime, Incident]] = field(default_factory=list)

    def tell(self, recipes: Sequence[Recipe]) -> None:
        """From the first campaign to now. The organization must have nothing of it yet."""
        for recipe in sorted(recipes, key=lambda recipe: -recipe.started):
            self._begin(recipe)
        told = self.plot.bursts[0].at - timedelta(days=1)
        self.to_come = list(incidents(self.now))
        for burst in self.plot.bursts:
            self._incidents(burst.at)
            for recipe in recipes:
                self._press_issue(recipe, told, burst.at)
                self._stop(recipe, told, burst.at)
            told = burst.at
            self._happen(burst)
        self._incidents(self.now)
        self._clicks(self.plot.clickings)
        with clock.as_of(self.now - timedelta(minutes=4)):
            release(organization=self.organization)

    def _incidents(self, until: datetime) -> None:
        scene = Scene(self.organization, self.actor, self.key_actor, self.random)
        while self.to_come and self.to_come[0][0] <= until:
            moment, happens = self.to_come.pop(0)
            with clock.as_of(moment), tenant(self.organization):
                happens(scene)

    def _begin(self, recipe: Recipe) -> None:
        terms = CampaignTerms(name=recipe.name, currency=recipe.currency, **recipe.terms)
        status = recipe.last_status if recipe.last_status == CampaignStatus.DRAFT else CampaignStatus.ACTIVE
        with clock.as_of(self.now - timedelta(days=recipe.started)), tenant(self.organization):
            self.campaigns[recipe.name] = campaign_create(
                organization=self.organization, terms=terms, rules=recipe.rules, actor=self.actor, status=status
            )

    def _stop(self, recipe: Recipe, after: datetime, until: datetime) -> None:
        moment = self.now - timedelta(days=recipe.stopped)
        if recipe.stopped and after < moment <= until:
            with clock.as_of(moment), tenant(self.organization):
                campaign_update(
                    organization=self.organization,
                    campaign=self.campaigns[recipe.name],
                    actor=self.actor,
                    status=recipe.last_status,
                )

    # What happens in half a day

    def _happen(self, burst: Burst) -> None:
        told = [buying for buying in burst.buyings if buying.source == STRIPE]
        refunds = [refund for refund in self.refunds if refund[0] <= burst.at]
        self.refunds = [refund for refund in self.refunds if refund[0] > burst.at]
        with clock.as_of(burst.at):
            if burst.joinings or burst.buyings or refunds:
                with tenant(self.organization):
                    self._join(burst.joinings)
                    self._store_webhooks(told)
                    InboundEvent.objects.bulk_create(self._stored(body, at) for at, body in refunds)
                    self._report([buying for buying in burst.buyings if buying.source != STRIPE])
            if told or refunds:
                dispatch.run()
            release(organization=self.organization)
            with tenant(self.organization):
                self._review(burst.at)

    def _join(self, joinings: Sequence[Joining]) -> None:
        newcomers = {
            joining.person.email: joining for joining in joinings if joining.person.email not in self.customers
        }
        customers = Customer.objects.bulk_create(
            Customer(
                organization=self.organization,
                email=email,
                email_key=email,
                name=joining.person.name,
                external_id=f"shop-{joining.person.country.lower()}-{joining.person.number:04d}",
                created_at=joining.at,
            )
            for email, joining in newcomers.items()
        )
        self.customers |= {customer.email_key: customer for customer in customers}
        rows = []
        for joining in joinings:
            referrer = self.participants[joining.referrer] if joining.referrer else None
            participant = Participant(
                organization=self.organization,
                campaign=self.campaigns[joining.recipe.name],
                customer=self.customers[joining.person.email],
                referral_code=joining.code,
                referred_by=referrer,
                attributed_at=joining.clicked_at,
                joined_at=joining.at,
            )
            self.participants[joining] = participant
            rows.append(participant)
        Participant.objects.bulk_create(rows)
        happenings = [
            Happening(
                "participant.joined",
                "participant",
                row.pk,
                row.campaign_id,
                {"referred_by": str(row.referred_by_id) if row.referred_by_id else None},
            )
            for row in rows
        ]
        record(organization=self.organization, actor=self.key_actor, happenings=happenings)

    def _store_webhooks(self, buyings: Sequence[Buying]) -> None:
        events = []
        for buying in buyings:
            # A payment's own, as in `plot`: the same payments are refunded on every day.
            random = Random(f"{buying.joining.code} {buying.number}")  # noqa: S311 - sample data
            body = stripe_events.payment(buying, livemode=not self.organization.is_test, random=random)
            events.append(self._stored(body, buying.at))
            if random.random() < _SHARE_REFUNDED:
                at = buying.at + timedelta(days=random.randint(2, 45), minutes=random.randint(0, 300))
                amount = random.choice([buying.amount, buying.amount // 2])
                self.refunds.append((at, stripe_events.refund(body, at, amount, random)))
            if random.random() < 0.12:
                events.append(self._stored(stripe_events.customer_updated(body, random), buying.at))
        InboundEvent.objects.bulk_create(events)

    def _stored(self, body: dict[str, object], at: datetime) -> InboundEvent:
        return InboundEvent(
            organization=self.organization,
            connection=self.connection,
            provider_event_id=str(body["id"]),
            event_type=str(body["type"]),
            livemode=not self.organization.is_test,
            body=json.dumps(body).encode(),
            received_at=at + timedelta(seconds=2),
            next_attempt_at=at + timedelta(seconds=2),
        )

    def _report(self, buyings: Sequence[Buying]) -> None:
        for source, actor in ((Source.API, self.key_actor), (Source.HAND, self.actor)):
            reports = [self._event(buying) for buying in buyings if buying.source == source]
            if reports:
                events_record(organization=self.organization, reports=reports, actor=actor)

    def _event(self, buying: Buying) -> EventReport:
        participant = self.participants[buying.joining]
        return EventReport(
            campaign_id=participant.campaign_id,
            participant_id=participant.pk,
            source=buying.source,
            type="purchase",
            transaction_id=f"order-{20_000 + self.random.randrange(10**6)}",
            amount=buying.amount,
            currency=buying.joining.recipe.currency,
            occurred_at=buying.at,
            country=buying.joining.person.country,
            tax=buying.tax,
            shipping=buying.shipping,
        )

    def _review(self, at: datetime) -> None:
        waiting = Reward.objects.filter(
            status=RewardStatus.EARNED, waiting_for=WaitingFor.REVIEW, earned_at__lte=at - _REVIEWED_AFTER
        )
        for reward in waiting.order_by("pk"):
            if self.random.random() < 0.15:
                reason = "Bought by the same household."
                reward_reject(organization=self.organization, reward=reward, actor=self.actor, reason=reason)
            else:
                reward_approve(organization=self.organization, reward=reward, actor=self.actor)

    def _press_issue(self, recipe: Recipe, after: datetime, until: datetime) -> None:
        for days in recipe.batches:
            # At ten in the morning where the roaster is.
            moment = (self.now - timedelta(days=days)).replace(hour=14, minute=5, second=0, microsecond=0)
            if not after < moment <= until:
                continue
            campaign = self.campaigns[recipe.name]
            with clock.as_of(moment), tenant(self.organization):
                if not Reward.objects.filter(campaign=campaign, status=RewardStatus.PENDING).exists():
                    continue
                if recipe.steps is not None:
                    self._confirm_in_steps(campaign, recipe.steps)
                    continue
                batch_of_the_past(
                    organization=self.organization,
                    method=campaign.fulfilment_method,
                    selection=Selection(campaign_id=campaign.pk),
                    unknown_to_stripe=self._unknown_to_stripe(),
                    actor=self.actor,
                    random=self.random,
                )

    def _confirm_in_steps(self, campaign: Campaign, step: int) -> None:
        """What is due, rounded down to whole steps; the rest is carried over. What comes to less than one stays due."""
        for reward in Reward.objects.filter(campaign=campaign, status=RewardStatus.PENDING).order_by("pk"):
            issued = reward.amount // step * step
            if issued:
                reward_confirm(organization=self.organization, reward=reward, actor=self.actor, amount=issued)

    def _unknown_to_stripe(self) -> frozenset[str]:
        return frozenset(person.email for person in self.plot.everybody if not person.known_to_stripe)

    def _clicks(self, clickings: Sequence[Clicking]) -> None:
        with tenant(self.organization):
            Click.objects.bulk_create(
                Click(
                    organization=self.organization,
                    campaign_id=self.participants[clicking.sharer].campaign_id,
                    participant=self.participants[clicking.sharer],
                    at=clicking.at,
                    referrer_host=clicking.host,
                    by_bot=clicking.by_bot,
                )
                for clicking in clickings
            )
