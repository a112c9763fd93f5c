"""Addresses of the Webhooks section."""

from django.urls import path

from referral_rocket.dashboard.webhooks import actions, pages

webhooks = [
    path("webhooks/", pages.webhook_list, name="webhooks"),
    path("webhooks/new/", actions.add, name="endpoint_new"),
    path("webhooks/<uuid:endpoint_id>", pages.endpoint, name="endpoint"),
    path("webhooks/<uuid:endpoint_id>/edit/", actions.edit, name="endpoint_edit"),
    path("webhooks/<uuid:endpoint_id>/test/", actions.test, name="endpoint_test"),
    path("webhooks/<uuid:endpoint_id>/secret/", actions.secret, name="endpoint_secret"),
    path("webhooks/<uuid:endpoint_id>/replay/", actions.replay, name="endpoint_replay"),
    path("webhooks/<uuid:endpoint_id>/switch/", actions.switch, name="endpoint_switch"),
    path("webhooks/<uuid:endpoint_id>/delete/", actions.delete, name="endpoint_delete"),
    path("webhooks/deliveries/<uuid:delivery_id>/", pages.delivery, name="delivery"),
    path("webhooks/deliveries/<uuid:delivery_id>/state/", pages.delivery_state, name="delivery_state"),
    path("webhooks/deliveries/<uuid:delivery_id>/retry/", actions.retry, name="delivery_retry"),
    path("webhooks/deliveries/<uuid:delivery_id>/take-back/", actions.take_back, name="order_take_back"),
]
