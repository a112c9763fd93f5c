"""The Webhooks section: endpoints, their secret once, deliveries and what is done with them."""

import pytest

from integrations.models import Endpoint
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.kit.clock import wall
from tests.dashboard.visitor import member, text
from webhooks.outbound import claiming
from webhooks.outbound.endpoints import endpoint_create, endpoint_test
from webhooks.outbound.models import Delivery, DeliveryAttempt
from webhooks.outbound.results import Result, results_write

pytestmark = pytest.mark.django_db
URL = "https://example.com/hook"


@pytest.fixture
def admin(organization):
    return member(organization, Role.ADMIN)


def make(organization, **fields):
    with tenant(organization):
        return endpoint_create(organization=organization, url=URL, actor="system:test", **fields).endpoint


def queue_tests(organization, endpoint, count=1):
    with tenant(organization):
        for _ in range(count):
            endpoint_test(endpoint=endpoint, actor="system:test")


def answer(status_code, excerpt=""):
    shipments = claiming.claim(token=claiming.new_token(), room=100, rooms={}, usual_room=100)
    results_write([Result(each, wall(), 42, status_code, response_excerpt=excerpt) for each in shipments])


def test_it_works(admin, organization):
    made = admin.post("endpoint_new", url=URL, description="Loyalty", event_types=["REWARD"], status_mode="AVAILABLE")
    with tenant(organization):
        endpoint = Endpoint.objects.get()

    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    secret = endpoint.secrets["current"]
    assert secret in text(made)
    for page in (admin.get("webhooks"), admin.get("endpoint", endpoint.pk)):
        assert "Loyalty" in text(page)
        assert secret not in text(page)
        assert "Reward orders" in text(page)


@pytest.mark.parametrize("url", ["http://example.com/", "https://10.0.0.1/", "nonsense", ""])
def test_a_url_that_is_refused_says_why_and_makes_nothing(admin, organization, url):
    answered = admin.post("endpoint_new", url=url, event_types=["REWARD"], status_mode="PENDING")

    assert answered.status_code == 422
    with tenant(organization):
        assert not Endpoint.objects.exists()


def test_a_delivery_shows_its_attempts_and_is_retried(admin, organization):
    endpoint = make(organization)
    queue_tests(organization, endpoint)
    answer(500, "<script>alert(1)</script>")
    with tenant(organization):
        delivery = Delivery.objects.get()

    shown = text(admin.get("delivery", delivery.pk))
    assert "Attempt 1" in shown
    with tenant(organization):
        sent = DeliveryAttempt.objects.get(delivery=delivery).at
    assert f"webhook-timestamp {int(sent.timestamp())}" in shown
    assert "&lt;script&gt;" in shown
    assert "<script>alert" not in shown
    assert delivery.webhook_id in text(admin.get("endpoint", endpoint.pk, status="PENDING"))
    assert "No delivery fits" in text(admin.get("endpoint", endpoint.pk, status="FAILED"))

    admin.post("delivery_retry", delivery.pk)
    answer(200)
    with tenant(organization):
        assert Delivery.objects.get().status == "DELIVERED"
    assert "50&nbsp;%" in text(admin.get("webhooks"))


def test_a_row_asks_again_only_while_something_is_about_to_happen(admin, organization):
    endpoint = make(organization)
    queue_tests(organization, endpoint)
    with tenant(organization):
        delivery = Delivery.objects.get()

    for page in ("delivery_state", "delivery"):
        assert 'hx-trigger="load delay:2s"' in text(admin.get(page, delivery.pk))
    answer(500)
    failed = text(admin.get("delivery_state", delivery.pk))
    assert "after 1 failure" in failed
    assert f'id="next-{delivery.pk}" hx-swap-oob="true"' in failed
    with tenant(organization):
        Delivery.objects.update(next_attempt_at=wall())
    answer(200)
    for page in ("delivery_state", "delivery"):
        assert "hx-trigger" not in text(admin.get(page, delivery.pk))


def test_disabled_by_us_shows_as_a_banner_and_is_enabled(admin, organization):
    endpoint = make(organization)
    queue_tests(organization, endpoint)
    answer(410)

    assert "answered 410 Gone and was disabled" in text(admin.get("webhooks"))
    admin.post("endpoint_switch", endpoint.pk)
    with tenant(organization):
        assert Endpoint.objects.get().status == "ENABLED"
    assert "410 Gone" not in text(admin.get("webhooks"))


def test_a_rotated_secret_is_shown_once(admin, organization):
    endpoint = make(organization)
    shown = text(admin.post("endpoint_secret", endpoint.pk, overlap_hours="72"))
    with tenant(organization):
        stored = Endpoint.objects.get().secrets

    assert stored["current"] in shown
    assert stored["previous"] not in shown
    page = text(admin.get("endpoint", endpoint.pk))
    assert "the old one signs too until" in page
    assert stored["current"] not in page


def test_sending_again_reads_the_time_in_the_organizations_zone(admin, organization):
    endpoint = make(organization)
    answered = admin.post("endpoint_replay", endpoint.pk, since="2026-11-21T00:00", only_failed="on")

    assert answered.status_code == 302
    assert admin.post("endpoint_replay", endpoint.pk, since="yesterday").status_code == 422


def test_deleting_asks_for_the_word(admin, organization):
    endpoint = make(organization)
    admin.post("endpoint_delete", endpoint.pk, confirmation="no")
    assert admin.get("endpoint", endpoint.pk).status_code == 200
    admin.post("endpoint_delete", endpoint.pk, confirmation="delete")
    assert admin.get("endpoint", endpoint.pk).status_code == 404


def test_a_viewer_is_offered_nothing(organization):
    endpoint = make(organization)
    page = text(member(organization, Role.VIEWER).get("endpoint", endpoint.pk))

    for offered in ("Send test event", "Rotate the secret", "delete-endpoint", "endpoint_switch"):
        assert offered not in page


def test_the_number_of_queries_is_constant(admin, organization):
    endpoint = make(organization)
    queue_tests(organization, endpoint)
    few = admin.queries("webhooks"), admin.queries("endpoint", endpoint.pk)
    for _ in range(5):
        queue_tests(organization, make(organization), 3)
    queue_tests(organization, endpoint, 20)

    assert (admin.queries("webhooks"), admin.queries("endpoint", endpoint.pk)) == few
