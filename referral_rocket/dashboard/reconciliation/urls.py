"""Addresses of reconciling with providers, and of settling what is unknown."""

from django.urls import path

from referral_rocket.dashboard.reconciliation import pages, settling

reconciliation = [
    path("rewards/reconciliation/", pages.reconciliation, name="reconciliation"),
    path("rewards/reconciliation/progress/", pages.progress, name="reconciliation_progress"),
    path("rewards/reconciliation/begin/", pages.begin, name="reconciliation_begin"),
    path("rewards/reconciliation/<uuid:finding_id>/", pages.finding, name="finding"),
    path("rewards/reconciliation/<uuid:finding_id>/settle/", pages.settle, name="finding_settle"),
    path("rewards/unknown/<uuid:item_id>/", settling.unknown, name="unknown"),
]
