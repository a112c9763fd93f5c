"""Addresses of the Developers section."""

from django.urls import path

from referral_rocket.dashboard.developers import clock_page, keys, log_page

developers = [
    path("developers/", keys.api_keys_page, name="developers"),
    path("developers/keys/new/", keys.key_create, name="api_key_create"),
    path("developers/keys/<uuid:key_id>/revoke/", keys.key_revoke, name="api_key_revoke"),
    path("developers/log/", log_page.api_log, name="api_log"),
    path("developers/clock/", clock_page.test_clock, name="test_clock"),
]
