"""Addresses outside any organization."""

from django.urls import path

from referral_rocket.dashboard import entry

urlpatterns = [
    path("", entry.home, name="home"),
    path("organizations/new/", entry.organization_new, name="organization_new"),
    path("invitations/<str:token>", entry.invitation, name="invitation"),
]
