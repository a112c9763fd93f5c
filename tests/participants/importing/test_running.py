"""An import makes of rows the same participants as the API would."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import CampaignStatus
from campaigns.services import campaign_update
from participants.importing import running, working
from participants.importing.cells import BY_CODE, BY_EMAIL, BY_KEY
from participants.importing.errors import ImportRefused
from participants.importing.models import Attributed, Existing, ImportStatus
from participants.importing.running import CHUNK
from participants.models import Customer, Participant, ProviderCustomer
from participants.tasks import import_participants
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity, PendingActivity
from referral_rocket.kit.clock import wall
from rewards.models import Reward
from rewards.services.erasing import person_erase
from tests import factories
from tests.participants.importing import files

pytestmark = pytest.mark.django_db

HEADER = ("Email", "First name", "Last name", "Referral code", "Referred by", "Created at", "Status", "PayPal email")
FILE = files.as_csv(
    HEADER,
    [
        # The referrer stands below.
        ("ben@example.com", "Ben", "Bird", "ben-1", "https://acme.example/?via=ann", "2025-03-01", "active", ""),
        ("Ann@Example.com", "Ann", "Ash", "ann", "", "2025-01-31T10:00:00Z", "active", "ann.pays@example.com"),
        ("cid@example.com", "Cid", "", "", "ben@example.com", "", "banned", ""),
    ],
)


def test_it_works(organization, campaign):
    made = files.imported(campaign, FILE)

    assert (made.status, made.figures["created"], made.figures["wrong"]) == (ImportStatus.FINISHED, 3, 0)
    found = files.people(campaign)
    ann, ben, cid = (found[f"{name}@example.com"] for name in ("ann", "ben", "cid"))
    assert files.referrals(campaign) == {
        "ann@example.com": None,
        "ben@example.com": "ann@example.com",
        "cid@example.com": "ben@example.com",
    }
    assert (ann.referral_code, ben.referral_code, len(cid.referral_code)) == ("ANN", "BEN-1", 8)
    assert (ann.customer.email, ann.customer.name) == ("Ann@Example.com", "Ann Ash")
    assert ann.joined_at == datetime(2025, 1, 31, 10, tzinfo=UTC)
    assert (ben.joined_at, ben.attributed_at) == (datetime(2025, 3, 1, tzinfo=UTC),) * 2
    assert (ben.banned_at, cid.banned_at is None) == (None, False)
    with tenant(organization):
        assert ProviderCustomer.objects.values_list("customer", "provider", "provider_id").get() == (
            ann.customer_id,
            "paypal",
            "ann.pays@example.com",
        )


def test_it_is_on_record_and_no_webhook_hears_of_it(organization, campaign):
    with tenant(organization):
        PendingActivity.objects.all().delete()

    files.imported(campaign, FILE)

    with tenant(organization):
        kinds = list(Activity.objects.filter(subject_type="participant").order_by("id").values_list("kind", flat=True))
        assert sorted(kinds) == ["participant.banned", *["participant.joined"] * 3]
        told = Activity.objects.filter(pk__in=PendingActivity.objects.values("activity_id"))
        # Of the import itself something is on record, without a snapshot, so that it is told to nobody.
        assert {each.subject_type for each in told} == {"import"}
        assert not PendingActivity.objects.filter(snapshot__isnull=False).exists()


def test_referrals_of_before_earn_nothing(organization, campaign):
    files.imported(campaign, FILE)

    with tenant(organization):
        assert not Reward.objects.exists()


@pytest.mark.parametrize(("attributed", "earned"), [(Attributed.JOINED, 0), (Attributed.IMPORTED, 1)])
def test_the_window_runs_from_where_it_was_chosen(organization, campaign, attributed, earned):
    made = files.checked(campaign, FILE, attributed=attributed)
    assert made.figures["past_window"] == (0 if attributed == Attributed.IMPORTED else 1)
    files.start(made)
    files.work()

    result = factories.event(files.people(campaign)["ben@example.com"])

    assert len(result.rewards) == earned


def test_who_is_there_is_left_alone(organization, campaign):
    ann = factories.participant(campaign, "ann@example.com", name="Annie")

    made = files.imported(campaign, FILE)

    assert (made.figures["created"], made.figures["left"]) == (2, 1)
    found = files.people(campaign)
    assert found["ann@example.com"].customer.name == "Annie"
    assert found["ann@example.com"].referral_code == ann.referral_code
    # Referrers are known by what the file calls them, although the code isn't theirs here.
    assert found["ben@example.com"].referred_by_id == ann.pk


def test_what_is_missing_is_filled_in(organization, campaign):
    factories.participant(campaign, "ben@example.com")
    factories.participant(campaign, "cid@example.com", name="Kid")

    made = files.imported(campaign, FILE, existing=Existing.FILL)

    assert (made.figures["created"], made.figures["filled"], made.figures["left"]) == (1, 2, 0)
    found = files.people(campaign)
    assert found["ben@example.com"].customer.name == "Ben Bird"
    assert found["cid@example.com"].customer.name == "Kid"
    assert files.referrals(campaign)["ben@example.com"] == "ann@example.com"
    assert files.referrals(campaign)["cid@example.com"] == "ben@example.com"


def test_a_referrer_is_filled_in_by_the_rules_only(organization, campaign):
    ben = factories.participant(campaign, "ben@example.com", name="Ben")
    factories.event(ben)

    made = files.imported(campaign, FILE, existing=Existing.FILL)

    assert files.rows(made)[0] == (2, "WRONG", "referral_refused")
    assert files.people(campaign)["ben@example.com"].referred_by_id is None


def test_the_same_file_again_changes_nothing(organization, campaign):
    files.imported(campaign, FILE)
    with tenant(organization):
        before = list(Participant.objects.order_by("pk").values())

    made = files.imported(campaign, FILE, existing=Existing.FILL)

    with tenant(organization):
        assert list(Participant.objects.order_by("pk").values()) == before
    assert (made.figures["created"], made.figures["filled"], made.figures["left"]) == (0, 0, 3)


@pytest.mark.parametrize(
    ("column", "by", "named"),
    [
        ("e-mail", BY_EMAIL, "Sharer@Example.com"),
        ("code", BY_CODE, "code"),
        ("old id", BY_KEY, "17"),
        ("link", BY_CODE, "https://go.example/code?utm_source=x&ref=code"),
    ],
)
def test_referrers_are_named_in_many_ways(organization, campaign, column, by, named):
    content = files.as_csv(
        ("id", "email", "code", "referred by"),
        [("4", "friend@example.com", "", named), ("17", "sharer@example.com", "code", "")],
    )

    files.imported(campaign, content, referrer_by=by)

    assert files.referrals(campaign)["friend@example.com"] == "sharer@example.com"


def test_a_referrer_who_is_there_already(organization, campaign, participant):
    content = files.as_csv(
        ("email", "referred by"),
        [("a@example.com", participant.referral_code.lower()), ("b@example.com", "sharer@example.com")],
    )

    files.imported(campaign, content)

    assert files.referrals(campaign)["a@example.com"] == "sharer@example.com"
    assert files.referrals(campaign)["b@example.com"] == "sharer@example.com"


def test_somebody_joins_between_check_and_run(organization, campaign):
    made = files.checked(campaign, FILE)
    ben = factories.participant(campaign, "ben@example.com")

    files.start(made)
    files.work()

    assert files.rows(made) == [(2, "LEFT", ""), (3, "CREATED", ""), (4, "CREATED", "")]
    assert files.people(campaign)["cid@example.com"].referred_by_id == ben.pk
    assert files.people(campaign)["ben@example.com"].referred_by_id is None


def test_a_code_is_taken_between_check_and_run(organization, campaign, other_organization):
    made = files.checked(campaign, FILE)
    theirs = factories.participant(factories.campaign(other_organization))
    with tenant(other_organization):
        Participant.objects.filter(pk=theirs.pk).update(referral_code="ANN")

    files.start(made)
    files.work()

    wanted = [(2, "WRONG", "referrer_wrong"), (3, "WRONG", "code_taken"), (4, "WRONG", "referrer_wrong")]
    assert files.rows(made) == wanted
    with tenant(organization):
        # What refuses a row leaves nobody behind.
        assert (Customer.objects.count(), Participant.objects.count()) == (0, 0)


def test_an_erased_person_joins_again_without_a_referrer(organization, campaign):
    ben = factories.participant(campaign, "ben@example.com")
    with tenant(organization):
        person_erase(organization=organization, customer_id=ben.customer_id, actor=factories.ACTOR)

    files.imported(campaign, FILE)

    assert files.referrals(campaign)["ben@example.com"] is None


def test_parts_make_no_difference(organization, campaign):
    """A chain that is longer than a part, in the worst order."""
    number = CHUNK + 3
    content = files.as_csv(
        ("email", "referred by"),
        [
            (f"p{place}@example.com", f"p{place + 1}@example.com" if place < number - 1 else "")
            for place in range(number)
        ],
    )

    made = files.imported(campaign, content)

    assert made.figures["created"] == number
    assert files.referrals(campaign) == {
        f"p{place}@example.com": f"p{place + 1}@example.com" if place < number - 1 else None for place in range(number)
    }


def test_the_queries_are_the_same_for_ten_and_for_a_hundred(organization, campaign):
    def queries(number: int) -> int:
        content = files.as_csv(
            ("email", "code", "uid", "referred by", "paypal email"),
            [
                (f"q{number}-{place}@example.com", f"q{number}x{place}", f"u{number}-{place}", f"q{number}x{place - 1}" if place else "", f"pay{number}-{place}@example.com")
                for place in range(number)
            ],
        )  # fmt: skip
        made = files.checked(campaign, content)
        files.start(made)
        with CaptureQueriesContext(connection) as captured:
            files.work()
        assert files.fresh(made).figures["created"] == number
        return len(captured)

    queries(2)
    assert queries(10) == queries(100)


def test_nobody_joins_an_ended_campaign(organization, campaign):
    made = files.checked(campaign, FILE)
    with tenant(organization):
        campaign_update(
            organization=organization, campaign=campaign, status=CampaignStatus.ENDED, actor=factories.ACTOR
        )

    with pytest.raises(ImportRefused, match="has ended"):
        files.start(made)

    assert files.people(campaign) == {}


def test_it_is_begun_once(organization, campaign):
    made = files.checked(campaign, FILE)
    files.start(made)
    with pytest.raises(ImportRefused):
        files.start(made)
    files.work()
    with pytest.raises(ImportRefused):
        files.start(made)

    assert len(files.people(campaign)) == 3


def test_joined_in_the_future_is_refused(organization, campaign):
    tomorrow = (wall() + timedelta(days=1)).isoformat()

    made = files.checked(campaign, files.as_csv(("email", "joined"), [("a@example.com", tomorrow)]))

    assert files.rows(made) == [(2, "WRONG", "invalid_date")]


def test_a_row_that_fails_unexpectedly_stops_only_itself(organization, campaign, monkeypatch):
    real = running.participants_join

    def failing(**options):
        if any(joining.email == "cid@example.com" for joining in options["joinings"]):
            raise ZeroDivisionError
        return real(**options)

    monkeypatch.setattr(running, "participants_join", failing)

    made = files.imported(campaign, FILE)

    assert files.rows(made) == [(2, "CREATED", ""), (3, "CREATED", ""), (4, "WRONG", "not_written")]
    assert (made.status, made.figures["created"], made.figures["wrong"]) == (ImportStatus.FINISHED, 2, 1)


def test_the_sweep_does_what_there_is_to_do(organization, campaign):
    made = files.upload(organization, FILE)
    assert import_participants() == 0
    files.map_as_guessed(campaign, made)
    assert import_participants() == 1
    files.start(made)
    assert import_participants() == 1

    assert import_participants() == 0
    assert len(files.people(campaign)) == 3


def test_one_import_does_not_hold_up_another(organization, campaign):
    """A turn that is over puts the import behind those that wait."""
    first, second = files.checked(campaign, FILE), files.checked(factories.campaign(organization), FILE)
    files.start(first)
    files.start(second)

    assert working.work_on(seconds=-1) == 1
    working.work_on()

    assert files.fresh(first).status == ImportStatus.RUNNING
    assert files.fresh(second).status == ImportStatus.FINISHED
