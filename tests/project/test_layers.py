"""The order of the apps, in what the linter can't see: models' foreign keys."""

import pytest
from django.apps import apps

# From the roof down (architecture.md, The house): a model may point to its own app and to those below it.
LAYERS = (
    "referral_rocket.dashboard",
    "referral_rocket.api",
    "webhooks.outbound",
    "webhooks.inbound",
    "rewards",
    "participants",
    "campaigns",
    "integrations",
    "referral_rocket.notices",
    "referral_rocket.activity",
    "referral_rocket.accounts",
)
# The REST API and the pages are beside each other, as are the two directions of webhooks.
BESIDE = ({"referral_rocket.dashboard", "referral_rocket.api"}, {"webhooks.outbound", "webhooks.inbound"})
OURS = [model for model in apps.get_models() if model.__module__.partition(".")[0] in {
    "referral_rocket", "integrations", "campaigns", "participants", "rewards", "webhooks"
}]  # fmt: skip


def app_of(model):
    return model._meta.app_config.name


def keys():
    for model in OURS:
        for field in model._meta.local_fields + model._meta.local_many_to_many:
            if field.is_relation and field.related_model in OURS:
                yield model, field


def test_it_works():
    names = {app_of(model) for model in OURS}

    assert names <= set(LAYERS), "an app that has no place in the order"
    assert {"rewards", "participants", "campaigns", "integrations", "webhooks.inbound"} <= names


@pytest.mark.parametrize(
    ("model", "field"), list(keys()), ids=lambda each: getattr(each, "name", None) or each.__name__
)
def test_a_foreign_key_points_downward(model, field):
    here, there = app_of(model), app_of(field.related_model)

    assert here == there or not any({here, there} <= beside for beside in BESIDE)
    assert LAYERS.index(here) <= LAYERS.index(there)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_key_of_ours_is_a_uuid(model):
    assert model._meta.pk.get_internal_type() == "UUIDField"
    assert model._meta.pk.default.__name__ == "uuid7"
