"""What the database itself holds of tenancy, compared with the models."""

import re

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import ForeignKey

from referral_rocket.accounts.models import ApiKey, Membership, Organization
from referral_rocket.accounts.scoping import every_organization, tenant
from referral_rocket.accounts.tenancy import POLICY, TenantModel
from referral_rocket.activity.models import Activity
from rewards.models import RewardTransition
from tests import factories

pytestmark = pytest.mark.django_db

TENANT_MODELS = [model for model in apps.get_models() if issubclass(model, TenantModel)]
TENANT_KEYS = [
    (model, field)
    for model in TENANT_MODELS
    for field in model._meta.local_fields
    if isinstance(field, ForeignKey) and issubclass(field.related_model, TenantModel)
]
APPEND_ONLY = [Activity, RewardTransition]


def rows(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def plain(expression):
    """A policy's expression without what PostgreSQL changes when it shows it: casts, brackets, spaces, capitals."""
    return re.sub(r"\s+", " ", re.sub(r"::text|[()]", "", expression)).strip().lower()


def by_table(models):
    return pytest.mark.parametrize("model", models, ids=lambda model: model._meta.db_table)


def test_it_works(organization, other_organization):
    factories.campaign(organization)

    with tenant(other_organization):
        assert rows("SELECT count(*) FROM campaigns_campaign") == [(0,)]
    with tenant(organization):
        assert rows("SELECT count(*) FROM campaigns_campaign") == [(1,)]


def test_the_role_is_bound_by_policies():
    assert rows("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user") == [(False, False)]
    assert rows("SHOW row_security") == [("on",)]


@by_table(TENANT_MODELS)
def test_each_tenant_table_has_the_one_policy_forced(model):
    table = model._meta.db_table

    assert rows("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", table) == [
        (True, True)
    ]
    policies = rows(
        "SELECT policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies WHERE tablename = %s", table
    )
    assert len(policies) == 1
    name, permissive, roles, command, using, with_check = policies[0]
    assert (name, permissive, roles, command, with_check) == ("tenant", "PERMISSIVE", "{public}", "ALL", None)
    assert plain(using) == plain(POLICY)


def test_no_other_table_has_an_organization_or_a_policy():
    """A table with a tenant's rows that forgot to be a TenantModel would be open to all."""
    tenant_tables = {model._meta.db_table for model in TENANT_MODELS}

    assert {table for (table,) in rows("SELECT tablename FROM pg_policies")} == tenant_tables
    with_organization = rows(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'organization_id'"
    )
    assert {table for (table,) in with_organization} == tenant_tables


@by_table(TENANT_MODELS)
def test_a_stranger_sees_no_row_of_a_table(model, organization):
    table = model._meta.db_table

    assert rows(f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize(
    ("model", "field"), TENANT_KEYS, ids=[f"{model._meta.db_table}.{field.name}" for model, field in TENANT_KEYS]
)
def test_a_key_between_tenant_tables_is_composite(model, field):
    """The plain key would let a row point into another organization: row-level security doesn't check keys."""
    table, target = model._meta.db_table, field.related_model._meta.db_table
    keys = rows(
        """
        SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE contype = 'f' AND conrelid = %s::regclass AND confrelid = %s::regclass
        """,
        table,
        target,
    )

    definitions = [definition for (definition,) in keys if f"{field.column})" in definition]
    assert not field.db_constraint
    assert definitions == [
        f"FOREIGN KEY (organization_id, {field.column}) REFERENCES {target}(organization_id, id)"
        " DEFERRABLE INITIALLY DEFERRED"
    ]


def test_there_are_tenant_tables_and_keys_to_look_at():
    assert len(TENANT_MODELS) > 20
    assert len(TENANT_KEYS) > 30


@pytest.mark.django_db(transaction=True)
def test_a_row_can_not_point_into_another_organization(organization, other_organization):
    mine, theirs = factories.campaign(organization), factories.campaign(other_organization)
    person = factories.participant(mine)

    with pytest.raises(IntegrityError, match="same_organization"), tenant(organization):
        # Not by the service, which would refuse it before.
        person.__class__.objects.filter(pk=person.pk).update(campaign_id=theirs.pk)

    with tenant(organization):
        person.refresh_from_db()
    assert person.campaign_id == mine.pk


def test_a_row_can_not_be_given_to_another_organization(organization, other_organization):
    campaign = factories.campaign(organization)

    with pytest.raises(Exception, match="row-level security"), tenant(organization), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_campaign SET organization_id = %s WHERE id = %s", [other_organization.pk, campaign.pk]
        )
    with tenant(organization):
        campaign.refresh_from_db()


def test_a_row_of_another_organization_can_not_be_inserted(organization, other_organization):
    with pytest.raises(Exception, match="row-level security"), tenant(organization):
        ApiKey.objects.create(
            organization=other_organization, name="x", prefix="rr_live_x", key_hash="x", scopes=["read"]
        )
    with every_organization("count"):
        assert ApiKey.objects.count() == 0


def test_raw_sql_changes_nothing_of_others(organization, other_organization):
    campaign = factories.campaign(other_organization, name="Theirs")

    with tenant(organization), connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_campaign SET name = 'Mine now'")
        assert cursor.rowcount == 0
        cursor.execute("DELETE FROM campaigns_campaignstatuschange")
        assert cursor.rowcount == 0
    with tenant(other_organization):
        campaign.refresh_from_db()
        assert campaign.name == "Theirs"


def test_a_join_from_a_table_of_everybody_s_brings_no_row_of_others(organization, other_organization):
    with tenant(organization):
        found = set(Organization.objects.filter(pk=other_organization.pk).values_list("name", flat=True))
        joined = rows("SELECT o.id FROM accounts_organization o JOIN accounts_membership m ON m.organization_id = o.id")
        members = Membership.objects.count()

    assert found == {"Other Ltd"}
    assert joined == [(organization.pk,)]
    assert members == 1


@by_table(APPEND_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}"])
def test_history_can_not_be_changed(model, statement, organization, referred):
    factories.event(referred)
    with tenant(organization):
        before = list(model.objects.order_by("id").values())
        assert before

        with (
            pytest.raises(Exception, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement.format(model._meta.db_table))

        assert list(model.objects.order_by("id").values()) == before
