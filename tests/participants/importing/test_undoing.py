"""An undo takes back what the import made, as long as nothing has happened to it since."""

from datetime import timedelta

import pytest
import time_machine

from participants.importing.errors import ImportRefused
from participants.importing.models import Existing, ImportRow, ImportStatus, ParticipantImport
from participants.importing.working import forget_old
from participants.models import Customer, Participant, ProviderCustomer
from participants.services import click_store
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall
from rewards.services.confirming import reward_give
from rewards.services.erasing import person_erase
from tests import factories
from tests.participants.importing import files

pytestmark = pytest.mark.django_db

# Dan brought Cid, who brought Ben, who brought Ann.
CHAIN = files.as_csv(
    ("email", "name", "referred by", "paypal email"),
    [
        ("ann@example.com", "Ann", "ben@example.com", "pay@example.com"),
        ("ben@example.com", "Ben", "cid@example.com", ""),
        ("cid@example.com", "Cid", "dan@example.com", ""),
        ("dan@example.com", "Dan", "", ""),
    ],
)


def test_it_works(organization, campaign):
    before = files.people(campaign)
    made = files.imported(campaign, CHAIN)

    made = files.undone(made)

    assert (made.status, made.figures["removed"], made.figures["kept"]) == (ImportStatus.UNDONE, 4, 0)
    assert files.people(campaign) == before == {}
    with tenant(organization):
        assert not Customer.objects.exists()
        assert not ProviderCustomer.objects.exists()
        told = list(Activity.objects.filter(kind="participant.removed").values_list("actor", "data"))
    assert told == [("system:import", {"reason": "import undone"})] * 4


def give_event(participant):
    factories.event(participant)


def give_reward(participant):
    with tenant(participant.organization):
        reward_give(
            organization=participant.organization,
            participant=participant,
            amount=100,
            reason="x",
            actor=factories.ACTOR,
        )


def give_click(participant):
    with tenant(participant.organization):
        click_store(participant=participant, referrer_host="", by_bot=False)


def give_referral(participant):
    factories.participant(participant.campaign, "new@example.com", referred_by=participant)


def erase(participant):
    with tenant(participant.organization):
        person_erase(organization=participant.organization, customer_id=participant.customer_id, actor=factories.ACTOR)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (give_event, "Has events"),
        (give_reward, "Has rewards since the import."),
        (give_click, "Has clicks since the import."),
        (give_referral, "Has people referred since the import."),
        (erase, "Has been erased since the import."),
    ],
)
def test_who_has_got_something_since_stays_with_the_referrers(organization, campaign, happens, reason):
    made = files.imported(campaign, CHAIN)
    ben = files.people(campaign)["ben@example.com"]
    happens(ben)

    made = files.undone(made)

    # Ben stays, and with him who referred him; Ann doesn't.
    kept = {3, 4, 5}
    assert {line for line, state, _ in files.rows(made) if state == "KEPT"} == kept
    assert (made.figures["removed"], made.figures["kept"]) == (1, 3)
    assert files.reasons(made)[3].startswith(reason)
    assert files.reasons(made)[4].startswith("Has people referred")
    with tenant(organization):
        assert Participant.objects.filter(pk=ben.pk).exists()
        assert not Customer.objects.filter(email_key="ann@example.com").exists()


def test_a_customer_who_is_somebody_elsewhere_stays(organization, campaign):
    known = factories.participant(factories.campaign(organization), "ann@example.com")
    made = files.imported(campaign, CHAIN)
    factories.participant(factories.campaign(organization), "ben@example.com")

    files.undone(made)

    assert files.people(campaign) == {}
    with tenant(organization):
        assert set(Customer.objects.values_list("email_key", flat=True)) == {"ann@example.com", "ben@example.com"}
        assert Participant.objects.filter(pk=known.pk).exists()


def test_what_was_filled_in_is_empty_again(organization, campaign):
    ben = factories.participant(campaign, "ben@example.com")
    cid = factories.participant(campaign, "cid@example.com")
    made = files.imported(campaign, CHAIN, existing=Existing.FILL)
    with tenant(organization):
        Customer.objects.filter(pk=cid.customer_id).update(name="Sid")

    made = files.undone(made)

    found = files.people(campaign)
    assert set(found) == {"ben@example.com", "cid@example.com", "dan@example.com"} - {"dan@example.com"}
    assert (found["ben@example.com"].customer.name, found["ben@example.com"].referred_by_id) == ("", None)
    assert found["cid@example.com"].customer.name == "Sid"
    assert found["ben@example.com"].pk == ben.pk
    assert files.reasons(made) == {4: "Changed since the import: name."}
    assert (made.figures["removed"], made.figures["restored"], made.figures["kept"]) == (2, 1, 1)


def test_a_filled_in_referrer_stays_once_an_event_has_counted(organization, campaign):
    ben = factories.participant(campaign, "ben@example.com", name="Ben")
    made = files.imported(campaign, CHAIN, existing=Existing.FILL)
    factories.event(ben)

    made = files.undone(made)

    assert files.referrals(campaign)["ben@example.com"] == "cid@example.com"
    assert files.reasons(made)[3] == "Changed since the import: referrer."


def test_it_is_undone_once_and_only_after_it_was_begun(organization, campaign):
    made = files.checked(campaign, CHAIN)
    with pytest.raises(ImportRefused):
        files.undone(made)
    files.start(made)
    files.work()
    files.undone(made)
    with pytest.raises(ImportRefused):
        files.undone(made)


def test_rows_are_deleted_after_some_days_and_the_undo_with_them(organization, campaign, settings):
    made = files.imported(campaign, CHAIN)
    waiting = files.upload(organization, CHAIN)
    with time_machine.travel(wall() + timedelta(days=settings.IMPORT_KEEP_DAYS, hours=1), tick=False):
        assert forget_old() == 2
        assert forget_old() == 0

        with pytest.raises(ImportRefused, match="rows were deleted"):
            files.undone(made)

    with every_organization("test"):
        assert not ImportRow.objects.exists()
        statuses = dict(ParticipantImport.objects.values_list("pk", "status"))
    assert statuses == {made.pk: ImportStatus.FINISHED, waiting.pk: ImportStatus.DISCARDED}
    assert len(files.people(campaign)) == 4


def test_erasing_a_person_reaches_the_rows_of_imports(organization, campaign):
    files.imported(campaign, CHAIN)
    erase(files.people(campaign)["ann@example.com"])

    with tenant(organization):
        row = ImportRow.objects.get(line=2)
        assert (row.cells, row.values, row.email_key, row.state) == ([], {}, "", "CREATED")
    erase(files.people(campaign)["ben@example.com"])
    with tenant(organization):
        assert "ben@example.com" not in str(list(ImportRow.objects.values()))


def test_who_is_erased_before_the_run_is_not_imported(organization, campaign):
    made = files.checked(campaign, CHAIN, existing=Existing.FILL)
    other = factories.participant(factories.campaign(organization), "ann@example.com")
    erase(other)

    files.start(made)
    files.work()

    assert files.rows(made)[0] == (2, "WRONG", "erased")
    assert set(files.people(campaign)) == {"ben@example.com", "cid@example.com", "dan@example.com"}


def test_who_was_brought_by_somebody_who_is_erased_before_the_run(organization, campaign):
    made = files.checked(campaign, CHAIN)
    erase(factories.participant(factories.campaign(organization), "dan@example.com"))

    files.start(made)
    files.work()

    assert [problem for _, _, problem in files.rows(made)] == [
        "referrer_wrong", "referrer_wrong", "referrer_wrong", "erased"
    ]  # fmt: skip
    assert files.people(campaign) == {}
