"""Address of the Overview."""

from django.urls import path

from referral_rocket.dashboard.overview import page

overview = [path("", page.overview, name="overview")]
