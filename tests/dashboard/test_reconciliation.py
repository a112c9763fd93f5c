"""The reconciliation page: beginning one, what it found, and a finding that a person settles."""

from uuid import uuid4

import pytest

from referral_rocket.accounts.models import Organization
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from rewards.models import Finding, Reconciliation
from rewards.services.reconciling.findings import findings_store, listed_key
from tests import factories
from tests.dashboard.visitor import member, text

pytestmark = pytest.mark.django_db


def find(organization: Organization, count: int, kind: str = "ORPHAN") -> list[Finding]:
    connection = factories.connection(organization)
    with tenant(organization):
        findings_store(
            organization=organization,
            found=[
                Finding(
                    kind=kind,
                    key=listed_key(kind, connection.pk, f"ref_{number}"),
                    message=f"The provider has ref_{number} for a reward that isn't on record here.",
                    connection=connection,
                    named_reward=uuid4(),
                    amount=1200,
                    currency="USD",
                    provider_reference=f"ref_{number}",
                )
                for number in range(count)
            ],
        )
        return list(Finding.objects.order_by("pk"))


def test_it_works(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    (finding,) = find(organization, 1)
    shown = text(marketer.get("reconciliation"))
    assert "Not on record here" in shown
    assert "$12.00" in shown
    assert "ref_0" in shown
    assert "Stripe has no list of credits over all customers" in shown
    assert "ref_0" in text(marketer.get("finding", finding.pk))

    refused = marketer.post("finding_settle", finding.pk, note=" ")
    assert refused.status_code == 422
    done = marketer.post("finding_settle", finding.pk, note="Another shop of ours made it.")
    assert done.status_code == 302
    assert "Nothing is open" in text(marketer.get("reconciliation"))
    assert "Another shop of ours made it." in text(marketer.get("finding", finding.pk))
    assert "Looked into by" in text(marketer.get("reconciliation", tab="settled"))


def test_one_is_begun_and_asked_for_while_it_is_under_way(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    assert "Choose how far back to look and press Reconcile" in text(marketer.get("reconciliation"))
    assert marketer.post("reconciliation_begin", days="8").status_code == 302
    with tenant(organization):
        assert not Reconciliation.objects.exists()

    for _ in range(2):
        assert marketer.post("reconciliation_begin", days="30").status_code == 302
    with tenant(organization):
        begun = Reconciliation.objects.get()
    assert (begun.status, begun.actor) == ("QUEUED", f"user:{marketer.user.pk}")
    assert 'hx-trigger="every 2s"' in text(marketer.get("reconciliation"))
    assert "HX-Refresh" not in marketer.get("reconciliation_progress").headers


def test_the_activity_log_tells_of_it_with_its_own_signs(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    (finding,) = find(organization, 1)
    marketer.post("reconciliation_begin", days="30")
    marketer.post("finding_settle", finding.pk, note="Another shop of ours made it.")
    told = marketer.get("activity").context["lines"][:2]
    assert [(line.what, line.icon, line.href) for line in told] == [
        ("Finding settled", "circle-alert", marketer.url("finding", finding.pk)),
        ("Reconciliation begun", "search", ""),
    ]
    (begun,) = marketer.get("activity", about="reconciliation").context["lines"]
    assert begun.what == "Reconciliation begun"


def test_a_viewer_looks_and_changes_nothing(organization: Organization) -> None:
    viewer = member(organization, Role.VIEWER)
    (finding,) = find(organization, 1)

    assert "Not on record here" in text(viewer.get("reconciliation"))
    assert viewer.url("reconciliation_begin") not in text(viewer.get("reconciliation"))
    assert viewer.post("reconciliation_begin", days="7").status_code == 403
    assert viewer.post("finding_settle", finding.pk, note="No.").status_code == 403
    with tenant(organization):
        assert (Reconciliation.objects.count(), Finding.objects.get().settled_at) == (0, None)


def test_the_overview_tells_of_it(organization: Organization) -> None:
    factories.campaign(organization)
    find(organization, 2)
    shown = text(member(organization, Role.MARKETER).get("overview"))
    assert "2 things that don&#x27;t agree." in shown or "2 things that don't agree." in shown


def test_the_number_of_queries_does_not_grow(organization: Organization) -> None:
    marketer = member(organization, Role.MARKETER)
    find(organization, 1)
    few = marketer.queries("reconciliation")
    find(organization, 12, "DOUBLE_THERE")

    assert marketer.queries("reconciliation") - few <= 1
