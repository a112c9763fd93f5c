"""Addresses outside any organization."""

from django.urls import path

from referral_rocket.dashboard import entry
from referral_rocket.dashboard.integrations import installing
from referral_rocket.dashboard.settings import ownership

urlpatterns = [
    path("", entry.home, name="home"),
    path("organizations/<slug:slug>/delete/", ownership.delete, name="organization_delete"),
    path("organizations/new/", entry.organization_new, name="organization_new"),
    path("invitations/<str:token>", entry.invitation, name="invitation"),
    # One address for all organizations: an app at a provider comes back only to addresses that it names.
    path("integrations/<slug:provider>/callback", installing.answered, name="integration_answered"),
]
