"""The one door to tenant data: what it opens, and that it closes again."""

import threading

import pytest
from django.db import connection, connections, transaction
from django_scopes.exceptions import ScopeError

from campaigns.models import Campaign
from referral_rocket.accounts.models import ApiKey
from referral_rocket.accounts.scoping import TenantMixUp, every_organization, tenant
from tests import factories

pytestmark = pytest.mark.django_db


def settings_now():
    """What PostgreSQL has been told: (organization, whether everyone's rows are in reach)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('app.organization', true), current_setting('app.every_organization', true)"
        )
        organization, everyone = cursor.fetchone()
    return organization or "", everyone == "on"


CLOSED = ("", False)


class Oops(Exception):
    pass


def make_and_fail(organization):
    with tenant(organization):
        factories.campaign(organization, name="Undone")
        raise Oops


def test_it_works(organization, other_organization, campaign):
    factories.campaign(other_organization)

    with tenant(organization):
        assert list(Campaign.objects.all()) == [campaign]
        assert settings_now() == (str(organization.pk), False)
    assert settings_now() == CLOSED


@pytest.mark.parametrize("model", [Campaign, ApiKey])
def test_outside_the_manager_raises(model, organization):
    with pytest.raises(ScopeError):
        model.objects.count()


def test_outside_the_database_shows_nothing(campaign):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM campaigns_campaign")
        assert cursor.fetchone() == (0,)


def test_everything_is_in_reach_of_every_organization(organization, other_organization):
    factories.campaign(organization)
    factories.campaign(other_organization)

    with every_organization("a test"):
        assert Campaign.objects.count() == 2
        assert settings_now() == ("", True)
    assert settings_now() == CLOSED


def test_nesting_another_tenant_raises_and_leaves_the_first_one_open(organization, other_organization, campaign):
    with tenant(organization):
        with pytest.raises(TenantMixUp), tenant(other_organization):
            pytest.fail("another tenant was let in")
        with pytest.raises(TenantMixUp), tenant(organization.test_organization):
            pytest.fail("the twin was let in")
        with pytest.raises(TenantMixUp), every_organization("a test"):
            pytest.fail("everyone was let in")

        assert settings_now() == (str(organization.pk), False)
        assert list(Campaign.objects.all()) == [campaign]


def test_nesting_the_same_tenant_is_a_savepoint(organization):
    with tenant(organization):
        with pytest.raises(Oops):
            make_and_fail(organization)
        factories.campaign(organization, name="Kept")
        assert settings_now() == (str(organization.pk), False)

    with tenant(organization):
        assert list(Campaign.objects.values_list("name", flat=True)) == ["Kept"]


def test_a_tenant_inside_everyone_is_restored_to_everyone(organization, other_organization, campaign):
    factories.campaign(other_organization)

    with every_organization("a test"):
        with tenant(organization):
            assert Campaign.objects.count() == 1
            assert settings_now() == (str(organization.pk), False)
        assert settings_now() == ("", True)
        assert Campaign.objects.count() == 2
        with tenant(other_organization):
            assert Campaign.objects.count() == 1
    assert settings_now() == CLOSED


@pytest.mark.parametrize("broken", [False, True], ids=["leaving", "raising"])
@pytest.mark.parametrize("everyone", [False, True], ids=["tenant", "everyone"])
def test_the_door_closes_inside_a_transaction_of_others(organization, everyone, broken):
    """A request or a test may hold a transaction around it: the settings must not outlive the block in it."""
    try:
        with transaction.atomic(), every_organization("a test") if everyone else tenant(organization):
            if broken:
                raise Oops
    except Oops:
        assert broken

    assert settings_now() == CLOSED
    with pytest.raises(ScopeError):
        Campaign.objects.count()


def test_what_is_written_in_a_block_that_raises_is_undone(organization):
    with pytest.raises(Oops):
        make_and_fail(organization)

    with tenant(organization):
        assert Campaign.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_connection_is_clean_for_whoever_gets_it_next(organization):
    with tenant(organization):
        assert settings_now()[0] == str(organization.pk)

    assert settings_now() == CLOSED
    with pytest.raises(Oops), every_organization("a test"):
        raise Oops
    assert settings_now() == CLOSED


@pytest.mark.django_db(transaction=True)
def test_threads_have_doors_of_their_own(organization, other_organization):
    campaigns = {each.pk: factories.campaign(each).pk for each in (organization, other_organization)}
    seen = {}
    both_inside = threading.Barrier(2)

    def look(mine):
        with tenant(mine):
            both_inside.wait(20)
            seen[mine.pk] = Campaign.objects.get().pk
            both_inside.wait(20)
        connections.close_all()

    threads = [threading.Thread(target=look, args=(each,)) for each in (organization, other_organization)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert seen == campaigns
