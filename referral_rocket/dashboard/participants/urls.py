"""Addresses of the Participants section."""

from django.urls import path

from referral_rocket.dashboard.participants import actions, adding, export, listing, profile, qr

participants = [
    path("participants/", listing.participant_list, name="participants"),
    path("participants/add/", adding.participant_add, name="participant_add"),
    path("participants/export.csv", export.participant_export, name="participant_export"),
    path("participants/<uuid:participant_id>/", profile.participant, name="participant"),
    path("participants/<uuid:participant_id>/code.svg", qr.code, name="participant_qr"),
    path("participants/<uuid:participant_id>/event/", actions.event_mark, name="event_mark"),
    path("participants/<uuid:participant_id>/reward/", actions.reward_one_time, name="reward_one_time"),
    path("participants/<uuid:participant_id>/referrer/", actions.referrer_set, name="referrer_set"),
    path("participants/<uuid:participant_id>/ban/", actions.ban, name="participant_ban"),
    path("participants/<uuid:participant_id>/unban/", actions.unban, name="participant_unban"),
    path("participants/<uuid:participant_id>/erase/", actions.erase, name="participant_erase"),
    path("events/<uuid:event_id>/undo/", actions.undo_event, name="event_undo"),
]
