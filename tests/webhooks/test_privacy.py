"""What Shopify asks in the name of people's privacy, through the door, and what is left of the person afterwards."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from integrations.models import Connection
from integrations.services import connection_create, connection_disconnect
from participants.models import Customer, Forgetting, Participant, Payment, ProviderCustomer
from participants.services import provider_customer_link
from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit import clock
from rewards.models import Reward
from rewards.services.erasing import person_erase
from tests import factories
from tests.integrations.test_shopify_inbound import CUSTOMER, EMAIL, Message, Shopify
from webhooks.inbound import dispatch, door, forgetting
from webhooks.inbound.models import InboundEvent
from webhooks.inbound.services import NotReplayable, inbound_replay

pytestmark = pytest.mark.django_db
SHOP = Shopify.credentials["shop"]
teller = Shopify()


def connect(organization: Organization, **credentials: str) -> Connection:
    with tenant(organization):
        return connection_create(
            organization=organization,
            provider="shopify",
            credentials={**Shopify.credentials, **credentials},
            actor=factories.ACTOR,
        )


@pytest.fixture
def link(organization: Organization) -> Connection:
    return connect(organization)


def tell(link: Connection, *messages: Message) -> None:
    for message in messages:
        headers = teller.headers(message, Shopify.credentials["client_secret"])
        path = f"{door.PREFIX}shopify/{link.pk}"
        answer = Client().post(path, message.body, "application/json", headers=headers)
        assert answer.status_code == 200
    dispatch.run()


def redact(**customer: Any) -> Message:
    person = {"id": int(CUSTOMER), "email": EMAIL, "phone": "555-625-1199", **customer}
    payload = {"shop_id": 954889, "shop_domain": SHOP, "customer": person, "orders_to_redact": []}
    return Message(payload, "wh_redact", "customers/redact")


def sweep() -> int:
    with time_machine.travel(clock.wall() + timedelta(minutes=2), tick=True):
        return forgetting.run()


def outcome(organization: Organization, topic: str) -> tuple[str, str]:
    with tenant(organization):
        event = InboundEvent.objects.get(event_type=topic)
        return event.status, event.reason


@pytest.fixture
def buyer(organization: Organization, link: Connection, participant: Participant) -> Participant:
    """Who bought and earned nothing yet, known at Shopify, brought by `participant`."""
    buyer = factories.participant(participant.campaign, EMAIL, referred_by=participant)
    with tenant(organization):
        provider_customer_link(
            organization=organization, customer=buyer.customer, provider="shopify", provider_id=CUSTOMER
        )
    return buyer


def test_it_works(organization: Organization, link: Connection, buyer: Participant) -> None:
    tell(link, teller.paid("pay_1"))
    body = teller.paid("pay_1").body
    assert EMAIL.encode() in body

    tell(link, redact())

    status, reason = outcome(organization, "customers/redact")
    with tenant(organization):
        person = Customer.objects.get(pk=buyer.customer_id)
        assert (person.email, person.erased_at is not None) == (None, True)
        assert (status, reason) == (
            "PROCESSED",
            f"{person.pseudonym} was erased in all campaigns, and open rewards were canceled. What is stored of their"
            " payments is emptied within minutes.",
        )
        assert not ProviderCustomer.objects.exists()
        # Somebody else earned it.
        assert Reward.objects.get().status == "PENDING"
        stored = {event.event_type: bytes(event.body) for event in InboundEvent.objects.all()}
    assert forgetting.run() == 0

    assert sweep() == 2

    with tenant(organization):
        events = {event.event_type: event for event in InboundEvent.objects.all()}
        assert {bytes(event.body) for event in events.values()} == {b""}
        for topic, event in events.items():
            assert event.body_hash == hashlib.sha256(stored[topic]).hexdigest()
        assert not Forgetting.objects.filter(finished_at__isnull=True).exists()
        assert all(each.marks is None for each in Forgetting.objects.all())
        assert Payment.objects.get().email is None
        assert Payment.objects.get().amount == 12000


def test_asked_again_it_changes_nothing(organization: Organization, link: Connection, buyer: Participant) -> None:
    tell(link, redact())
    again = Message(redact().payload, "wh_again", "customers/redact")

    tell(link, redact(), again)

    with tenant(organization):
        assert Activity.objects.filter(kind="participant.erased").count() == 1
        reasons = list(InboundEvent.objects.order_by("pk").values_list("status", "reason"))
        assert len(reasons) == 2
        assert reasons[1] == (
            "PROCESSED",
            "Nobody who takes part here is known by it. What is stored of their payments is emptied within minutes.",
        )


def test_somebody_who_never_took_part_is_emptied_too(organization: Organization, link: Connection) -> None:
    tell(link, teller.paid("pay_1"), teller.paid("pay_2", who=False))
    kept = Message({**teller.paid("pay_3").payload, "email": f"x{EMAIL}", "customer": None}, "wh_3", "orders/paid")
    tell(link, kept, redact())

    # Two orders by id or address, the redaction itself, and the payments' own columns.
    assert sweep() == 4

    with tenant(organization):
        assert [bytes(event.body) == b"" for event in InboundEvent.objects.order_by("pk")] == [True, True, False, True]
        assert set(Payment.objects.values_list("email", flat=True)) == {None, f"x{EMAIL}"}


def test_the_id_says_who_is_meant(organization: Organization, link: Connection, buyer: Participant) -> None:
    """The address may have become somebody else's: erasing can't be undone, so a person decides about that one."""
    namesake = factories.participant(buyer.campaign, "new@example.com")

    tell(link, redact(email="New@example.com"))

    with tenant(organization):
        erased = set(Customer.objects.filter(erased_at__isnull=False).values_list("pk", flat=True))
        assert erased == {buyer.customer_id}
    assert f"customer {namesake.customer_id}" in outcome(organization, "customers/redact")[1]


def test_another_shop_s_customers_are_left_alone(
    organization: Organization, link: Connection, buyer: Participant
) -> None:
    other = redact()
    tell(link, Message({**other.payload, "shop_domain": "other.myshopify.com"}, "wh_1", other.type))

    status, reason = outcome(organization, "customers/redact")
    with tenant(organization):
        assert (status, "other.myshopify.com" in reason) == ("IGNORED", True)
        assert not Customer.objects.filter(erased_at__isnull=False).exists()
        assert not Forgetting.objects.exists()


def test_an_app_with_one_address_reaches_the_twin_and_nobody_else(
    organization: Organization, link: Connection, buyer: Participant, other_organization: Organization
) -> None:
    """The same shop in the test twin, the same app; elsewhere the same shop under another app's secret."""
    twin = Organization.objects.get(live_organization=organization)
    test_link = connect(twin)
    stranger = connect(other_organization, client_secret="shpss_another0001")
    in_twin = factories.participant(factories.campaign(twin), EMAIL)
    elsewhere = factories.participant(factories.campaign(other_organization), EMAIL)

    tell(link, redact())
    dispatch.run()

    for person, gone in ((buyer, True), (in_twin, True), (elsewhere, False)):
        with tenant(person.organization):
            assert (Customer.objects.get(pk=person.customer_id).erased_at is not None) == gone
    assert outcome(twin, "customers/redact")[0] == "PROCESSED"
    with tenant(twin):
        assert InboundEvent.objects.get().connection_id == test_link.pk
    with tenant(other_organization):
        assert not InboundEvent.objects.filter(connection=stranger).exists()


def test_a_disconnected_shop_still_asks(organization: Organization, link: Connection, buyer: Participant) -> None:
    with tenant(organization):
        connection_disconnect(connection=link, actor=factories.ACTOR)

    tell(link, redact())

    with tenant(organization):
        assert Customer.objects.get(pk=buyer.customer_id).erased_at is not None


def test_what_is_still_to_be_worked_on_is_waited_for(organization: Organization, link: Connection) -> None:
    tell(link, teller.paid("pay_1"))
    with tenant(organization):
        InboundEvent.objects.update(status="RECEIVED", next_attempt_at=clock.wall() + timedelta(hours=1))
    tell(link, redact())

    assert sweep() == 0
    with tenant(organization):
        assert EMAIL.encode() in bytes(InboundEvent.objects.get(event_type="orders/paid").body)
        InboundEvent.objects.update(status="PROCESSED")

    assert sweep() == 3
    with tenant(organization):
        assert bytes(InboundEvent.objects.get(event_type="orders/paid").body) == b""


def test_an_emptied_event_can_t_be_replayed(organization: Organization, link: Connection) -> None:
    tell(link, teller.unknown(), redact())
    sweep()

    with tenant(organization):
        event = InboundEvent.objects.get(event_type="orders/updated")
        assert event.status == "IGNORED"
        with pytest.raises(NotReplayable):
            inbound_replay(organization=organization, event=event, actor=factories.ACTOR)
        event.refresh_from_db()
        assert event.status == "IGNORED"


def test_a_request_to_tell_says_what_a_person_has_to_do(
    organization: Organization, link: Connection, buyer: Participant
) -> None:
    asked = redact()
    payload = {**asked.payload, "orders_requested": [1], "data_request": {"id": 9999}}
    with time_machine.travel("2026-11-24T12:00:00Z", tick=False):
        tell(link, Message(payload, "wh_1", "customers/data_request"))

    status, reason = outcome(organization, "customers/data_request")
    assert status == "PROCESSED"
    assert reason == (
        f"A person has to answer this: somebody asks what is kept about them. They are customer {buyer.customer_id} here."
        " Give the shop's owner what their participant's page and the messages here show of them, by 24 December 2026."
    )
    with tenant(organization):
        assert Activity.objects.get(kind="privacy.data_requested").data == {"until": "24 December 2026"}
        assert Customer.objects.get(pk=buyer.customer_id).erased_at is None


def test_a_shop_that_is_gone(organization: Organization, link: Connection, buyer: Participant) -> None:
    tell(link, teller.paid("pay_1"), teller.paid("pay_2", who=False))
    gone = Message({"shop_id": 954889, "shop_domain": SHOP}, "wh_1", "shop/redact")

    tell(link, gone)
    sweep()

    status, reason = outcome(organization, "shop/redact")
    with tenant(organization):
        link.refresh_from_db()
        assert (status, link.status) == ("PROCESSED", "DISCONNECTED")
        assert "1 of its customers take part here and stay" in reason
        assert {bytes(event.body) for event in InboundEvent.objects.all()} == {b""}
        assert set(Payment.objects.values_list("email", "provider_customer_id")) == {(None, None)}
        assert not ProviderCustomer.objects.exists()
        assert Customer.objects.get(pk=buyer.customer_id).email == EMAIL


def test_a_person_erased_on_their_page_is_emptied_too(
    organization: Organization, link: Connection, buyer: Participant
) -> None:
    tell(link, teller.paid("pay_1"))
    with tenant(organization):
        person_erase(organization=organization, customer_id=buyer.customer_id, actor="user:me")

    assert sweep() == 1

    with tenant(organization):
        assert bytes(InboundEvent.objects.get().body) == b""


@pytest.mark.parametrize("payload", [{}, {"shop_domain": SHOP}, {"shop_domain": SHOP, "customer": {"phone": "1"}}])
def test_what_names_nobody_is_ignored(organization: Organization, link: Connection, payload: dict[str, Any]) -> None:
    tell(link, Message(payload, "wh_1", "customers/redact"))

    assert outcome(organization, "customers/redact")[0] == "IGNORED"
