"""What every payment system's webhooks must come to, in one set of cases: see docs/adding-a-provider.md.

A provider's test file brings a `Teller`, which words payments, refunds and disputes as that provider does and signs them,
and a class that inherits `InboundCases`. Everything goes through the door and is worked off as in production, but for the
permutations, which put events where the door puts them.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from django.test import Client

from campaigns.services import campaign_update
from integrations.errors import ModeMismatch
from integrations.models import Connection
from integrations.services import connection_create, connection_update
from participants.models import Customer, Participant, Payment, QualifyingEvent
from participants.services import provider_customer_link
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit import clock
from rewards.models import Decision, Reward
from tests import factories
from tests.rewards.books import assert_books_agree
from tests.webhooks.stored import store_all
from webhooks.inbound import dispatch, door, tasks
from webhooks.inbound.models import InboundEvent

EMAIL = "friend@example.com"
CUSTOMER = "70010042"
AMOUNT = 12000


def now() -> datetime:
    """In whole seconds, as most payment systems tell the time."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Message:
    """One webhook. `event_id` is what the provider would give it in a header, where it does; `type` likewise."""

    payload: Mapping[str, Any]
    event_id: str
    type: str

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode()


class Teller:
    """One provider's way of telling. Amounts in minor units of USD; `payment` names a payment, the same in every call."""

    provider: ClassVar[str]
    credentials: ClassVar[dict[str, str]]
    # Credentials that show that they are of the other mode, where the provider's do.
    other_mode: ClassVar[dict[str, str]] = {}
    # Typed in beside the credentials; None where a credential signs, and then `signing` names it.
    webhook_secret: ClassVar[str | None] = None
    signing: ClassVar[str | None] = None

    def paid(
        self, payment: str, amount: int = AMOUNT, *, code: str = "", own_id: str = "", who: bool = True
    ) -> Message:
        """A payment by the customer CUSTOMER, who gave EMAIL, or no address with `who` false."""
        raise NotImplementedError

    def customer(self) -> Message | None:
        """Where a payment doesn't carry its payer's e-mail: the message that does."""
        return None

    def refunded(self, payment: str, refund: str, amount: int) -> Message:
        raise NotImplementedError

    def disputed(self, payment: str, dispute: str, amount: int, outcome: str) -> Message:
        """`outcome` is OPEN, WON or LOST."""
        raise NotImplementedError

    def unknown(self) -> Message:
        raise NotImplementedError

    def other_mode_told(self, payment: str) -> Message | None:
        """A payment that says of itself that it is a test, where the provider's do."""
        return None

    def headers(self, message: Message, secret: str) -> dict[str, str]:
        raise NotImplementedError

    @property
    def secret(self) -> str:
        return self.webhook_secret or self.credentials[self.signing or ""]


class InboundCases:
    teller: ClassVar[Teller]
    pytestmark = pytest.mark.django_db

    @pytest.fixture(autouse=True)
    def _nothing_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        door._doors.clear()
        monkeypatch.setattr(tasks.work_off, "apply_async", lambda *args, **options: None)

    @pytest.fixture
    def link(self, organization: Organization) -> Connection:
        with tenant(organization):
            return connection_create(
                organization=organization,
                provider=self.teller.provider,
                credentials=self.teller.credentials,
                webhook_secret=self.teller.webhook_secret,
                actor=factories.ACTOR,
            )

    @pytest.fixture
    def sharer(self, participant: Participant) -> Participant:
        """Earns 10 % of each payment of those whom they referred."""
        with tenant(participant.organization):
            campaign_update(
                organization=participant.organization,
                campaign=participant.campaign,
                rules=[factories.referral_rule(rate="0.1")],
                actor=factories.ACTOR,
            )
        return participant

    @pytest.fixture
    def friend(self, sharer: Participant) -> Participant:
        """Known by e-mail and by the provider's id."""
        friend = factories.participant(sharer.campaign, EMAIL, referred_by=sharer)
        with tenant(sharer.organization):
            provider_customer_link(
                organization=sharer.organization,
                customer=friend.customer,
                provider=self.teller.provider,
                provider_id=CUSTOMER,
            )
        return friend

    def post(self, link: Connection, message: Message, *, secret: str | None = None, **changed: str) -> Any:
        headers = {**self.teller.headers(message, secret or self.teller.secret), **changed}
        return Client(raise_request_exception=False).post(
            f"/webhooks/in/{link.provider}/{link.pk}",
            data=message.body,
            content_type="application/json",
            headers={name: value for name, value in headers.items() if value},
        )

    def tell(self, link: Connection, *messages: Message | None) -> None:
        for message in messages:
            if message is not None:
                answer = self.post(link, message)
                assert answer.status_code == 200, answer.content
                dispatch.run(seconds=5)

    def test_it_works(self, organization: Organization, link: Connection, sharer: Participant) -> None:
        """A payer who isn't a participant yet, and carries a code, becomes one."""
        with tenant(organization):
            # Where the provider tells of the payer beforehand, it has to be somebody whom the tenant knows.
            Customer.objects.create(
                organization=organization, email=EMAIL, email_key=EMAIL, created_at=clock.now(organization)
            )
        self.tell(link, self.teller.customer(), self.teller.paid("pay_1", code=sharer.referral_code.lower()))

        with tenant(organization):
            event = InboundEvent.objects.latest("pk")
            assert (event.status, event.reason) == ("PROCESSED", "Friends: earned 1 reward.")
            payment = Payment.objects.get()
            assert (payment.attributed_by, payment.currency) == ("REFERRAL_CODE", "USD")
            joined = Participant.objects.get(campaign=sharer.campaign, customer__email_key=EMAIL)
            assert joined.referred_by_id == sharer.pk
        assert self.owed(organization) == [(AMOUNT, AMOUNT // 10)]

    @pytest.mark.parametrize("secret", ["another-secret-altogether", ""])
    def test_what_isn_t_signed_by_it_is_refused(
        self, organization: Organization, link: Connection, secret: str
    ) -> None:
        message = self.teller.paid("pay_1")
        nothing = dict.fromkeys(self.teller.headers(message, self.teller.secret), "")

        answer = self.post(link, message, secret=secret) if secret else self.post(link, message, **nothing)

        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
        with tenant(organization):
            assert InboundEvent.objects.count() == 0

    def test_another_body_under_a_good_signature_is_refused(self, organization: Organization, link: Connection) -> None:
        headers = self.teller.headers(self.teller.paid("pay_1"), self.teller.secret)

        answer = self.post(link, self.teller.paid("pay_1", AMOUNT * 2), **headers)

        assert answer.status_code == 400
        with tenant(organization):
            assert InboundEvent.objects.count() == 0

    def test_a_replaced_secret_stays_good_for_a_while(self, organization: Organization, link: Connection) -> None:
        before, after = self.teller.secret, f"{self.teller.secret}9"
        changed: dict[str, Any] = {"webhook_secret": after}
        if self.teller.signing:
            changed = {"credentials": {**self.teller.credentials, self.teller.signing: after}}
        with tenant(organization):
            connection_update(connection=link, actor=factories.ACTOR, **changed)

        answers = [self.post(link, self.teller.paid(f"pay_{at}"), secret=at) for at in (before, after)]

        assert [answer.status_code for answer in answers] == [200, 200]

    def test_the_same_event_again_is_one(
        self, organization: Organization, link: Connection, friend: Participant
    ) -> None:
        for _ in range(3):
            self.tell(link, self.teller.paid("pay_1"))

        assert self.owed(organization) == [(AMOUNT, AMOUNT // 10)]
        with tenant(organization):
            assert InboundEvent.objects.count() == 1

    def test_another_type_is_kept_and_ignored(self, organization: Organization, link: Connection) -> None:
        self.tell(link, self.teller.unknown())

        with tenant(organization):
            event = InboundEvent.objects.get()
            assert (event.status, bool(event.reason)) == ("IGNORED", True)
            assert Payment.objects.count() == 0

    def test_a_payment_of_nothing_qualifies_for_nothing(
        self, organization: Organization, link: Connection, friend: Participant
    ) -> None:
        self.tell(link, self.teller.paid("pay_1", 0))

        with tenant(organization):
            assert QualifyingEvent.objects.count() == Reward.objects.count() == Decision.objects.count() == 0

    def test_the_provider_s_customer_says_whose_it_is(
        self, organization: Organization, link: Connection, friend: Participant
    ) -> None:
        self.tell(link, self.teller.paid("pay_1", who=False))

        assert self.owed(organization) == [(AMOUNT, AMOUNT // 10)]
        with tenant(organization):
            assert Payment.objects.get().attributed_by == "PROVIDER_CUSTOMER"

    def test_the_e_mail_says_whose_it_is(
        self, organization: Organization, link: Connection, sharer: Participant
    ) -> None:
        factories.participant(sharer.campaign, EMAIL, referred_by=sharer)

        self.tell(link, self.teller.customer(), self.teller.paid("pay_1"))

        assert self.owed(organization) == [(AMOUNT, AMOUNT // 10)]
        with tenant(organization):
            by = "PROVIDER_CUSTOMER" if self.teller.customer() else "EMAIL"
            assert Payment.objects.get().attributed_by == by

    def test_nobody_s_payment_counts_nowhere(
        self, organization: Organization, link: Connection, sharer: Participant
    ) -> None:
        self.tell(link, self.teller.paid("pay_1"), self.teller.paid("pay_2", code="NOBODYS1"))

        with tenant(organization):
            assert QualifyingEvent.objects.count() == 0

    def test_the_tenant_s_own_id_is_the_transaction(
        self, organization: Organization, link: Connection, friend: Participant
    ) -> None:
        factories.event(friend, AMOUNT, transaction_id="ord_1")

        self.tell(link, self.teller.paid("pay_1", own_id="ord_1"))

        assert self.owed(organization) == [(AMOUNT, AMOUNT // 10)]
        with tenant(organization):
            assert QualifyingEvent.objects.get().repeats == 1
            assert "counts once" in InboundEvent.objects.get().reason

    def test_partial_refunds_add_up(self, organization: Organization, link: Connection, friend: Participant) -> None:
        self.tell(
            link,
            self.teller.refunded("pay_1", "re_1", 2000),
            self.teller.paid("pay_1"),
            self.teller.refunded("pay_1", "re_2", 1000),
        )

        assert self.owed(organization) == [(9000, 900)]

    @pytest.mark.parametrize(("outcome", "left"), [("OPEN", 9000), ("LOST", 9000), ("WON", 12000)])
    def test_a_dispute_takes_until_it_is_won(
        self, organization: Organization, link: Connection, friend: Participant, outcome: str, left: int
    ) -> None:
        self.tell(link, self.teller.paid("pay_1"), self.teller.disputed("pay_1", "di_1", 3000, "OPEN"))
        assert self.owed(organization) == [(9000, 900)]

        self.tell(link, self.teller.disputed("pay_1", "di_1", 3000, outcome))

        assert self.owed(organization) == [(left, left // 10)]

    def test_the_other_mode_s_are_kept_out(
        self, organization: Organization, link: Connection, friend: Participant
    ) -> None:
        assert self.teller.other_mode or self.teller.other_mode_told("pay_1")
        if self.teller.other_mode:
            with tenant(organization), pytest.raises(ModeMismatch):
                connection_create(
                    organization=organization,
                    provider=self.teller.provider,
                    credentials=self.teller.other_mode,
                    webhook_secret=self.teller.webhook_secret,
                    actor=factories.ACTOR,
                )
        self.tell(link, self.teller.other_mode_told("pay_1"))

        with tenant(organization):
            assert QualifyingEvent.objects.count() == 0
            assert not InboundEvent.objects.exclude(status="IGNORED").exists()

    def test_a_refund_in_another_currency_takes_nothing_and_says_so(
        self, organization: Organization, link: Connection, friend: Participant
    ) -> None:
        refund = self.teller.refunded("pay_1", "re_1", 2000)
        foreign = json.loads(refund.body.replace(b'"USD"', b'"EUR"').replace(b'"usd"', b'"eur"'))
        assert foreign != json.loads(refund.body)

        self.tell(link, self.teller.paid("pay_1"), Message(foreign, refund.event_id, refund.type))

        assert self.owed(organization) == [(12000, 1200)]
        with tenant(organization):
            event = InboundEvent.objects.latest("pk")
            assert (event.status, "is in EUR, another currency than its payment" in event.reason) == ("FAILED", True)

    # 2,400 events: some 10 s of work.
    @pytest.mark.timeout(900)
    def test_every_order_of_what_happens_to_a_payment(
        self, organization: Organization, link: Connection, friend: Participant
    ) -> None:
        """Both ends of the dispute in 120 orders each, each told of a payment of its own, and every event twice."""
        stories = [
            (f"pay_{outcome}_{number}", outcome, order)
            for outcome in ("WON", "LOST")
            for number, order in enumerate(itertools.permutations(range(5)))
        ]
        for step in range(5):
            messages = [self._steps(payment, outcome)[order[step]] for payment, outcome, order in stories]
            store_all(link, [(dict(message.payload), message.type) for message in messages for _ in range(2)])
            dispatch.run(seconds=60)

        left = {payment: 9000 if outcome == "WON" else 6000 for payment, outcome, _ in stories}
        with tenant(organization):
            assert set(InboundEvent.objects.values_list("status", flat=True)) == {"PROCESSED"}
            events = QualifyingEvent.objects.all()
            assert sorted(event.net_amount or 0 for event in events) == sorted(left.values())
            rewards = Reward.objects.filter(status="PENDING").values_list("event__net_amount", "amount")
            assert len(rewards) == len(stories) == 240
            assert {(net, amount) for net, amount in rewards} == {(9000, 900), (6000, 600)}
        assert_books_agree(organization)

    def _steps(self, payment: str, outcome: str) -> list[Message]:
        return [
            self.teller.paid(payment),
            self.teller.refunded(payment, f"re_1_{payment}", 2000),
            self.teller.refunded(payment, f"re_2_{payment}", 1000),
            self.teller.disputed(payment, f"di_{payment}", 3000, "OPEN"),
            self.teller.disputed(payment, f"di_{payment}", 3000, outcome),
        ]

    def owed(self, organization: Organization) -> list[tuple[int | None, int]]:
        """For each event what is left of it, and of its reward."""
        assert_books_agree(organization)
        with tenant(organization):
            return sorted(Reward.objects.filter(status="PENDING").values_list("event__net_amount", "amount"))
