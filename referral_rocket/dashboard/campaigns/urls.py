"""Addresses of the Campaigns section."""

from django.urls import path

from referral_rocket.dashboard.campaigns import actions, editing, pages

campaigns = [
    path("campaigns/", pages.campaign_list, name="campaigns"),
    path("campaigns/new/", editing.campaign_new, name="campaign_new"),
    path("campaigns/reading/", editing.rules_reading, name="rules_reading"),
    path("campaigns/<uuid:campaign_id>/", pages.campaign, name="campaign"),
    path("campaigns/<uuid:campaign_id>/edit/", editing.campaign_edit, name="campaign_edit"),
    path("campaigns/<uuid:campaign_id>/duplicate/", actions.campaign_copy, name="campaign_copy"),
    path("campaigns/<uuid:campaign_id>/automatic/", actions.automatic_pause, name="auto_issue_pause"),
    path("campaigns/<uuid:campaign_id>/status/<str:status>/", actions.campaign_status, name="campaign_status"),
]
