"""Addresses of the Integrations section."""

from django.urls import path

from referral_rocket.dashboard.integrations import (
    actions,
    backfills,
    connecting,
    connections,
    inbound,
    installing,
    replays,
)

integrations = [
    path("integrations/", connections.integration_list, name="integrations"),
    path("integrations/connect/<slug:provider>/", connecting.integration_connect, name="integration_connect"),
    path("integrations/install/<slug:provider>/", installing.install, name="integration_install"),
    path("integrations/installed/<slug:provider>/", installing.installed, name="integration_installed"),
    path("integrations/<uuid:connection_id>/", connections.connection, name="connection"),
    path("integrations/<uuid:connection_id>/status/", connections.connection_status, name="connection_status"),
    path("integrations/<uuid:connection_id>/check/", actions.check, name="connection_check"),
    path("integrations/<uuid:connection_id>/webhook/", actions.webhook, name="connection_webhook"),
    path("integrations/<uuid:connection_id>/secret/", actions.secret, name="connection_secret"),
    path("integrations/<uuid:connection_id>/credentials/", actions.credentials, name="connection_credentials"),
    path("integrations/<uuid:connection_id>/settings/", actions.settings, name="connection_settings"),
    path("integrations/<uuid:connection_id>/disconnect/", actions.disconnect, name="connection_disconnect"),
    path("integrations/<uuid:connection_id>/backfill/", backfills.backfill_runs, name="backfill_runs"),
    path("integrations/<uuid:connection_id>/backfill/dry-run/", backfills.dry_run, name="backfill_dry_run"),
    path(
        "integrations/<uuid:connection_id>/backfill/<uuid:backfill_id>/import/",
        backfills.take_in,
        name="backfill_import",
    ),
    path("integrations/<uuid:connection_id>/replays/", replays.replay_runs, name="replay_runs"),
    path("integrations/<uuid:connection_id>/replay/", replays.replay_many, name="replay_many"),
    path("integrations/events/<uuid:event_id>/", inbound.inbound_event, name="inbound_event"),
    path("integrations/events/<uuid:event_id>/replay/", inbound.replay, name="inbound_replay"),
]
