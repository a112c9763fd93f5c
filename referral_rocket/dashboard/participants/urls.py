"""Addresses of the Participants section."""

from django.urls import path

from referral_rocket.dashboard.participants import actions, adding, export, listing, profile, qr
from referral_rocket.dashboard.participants.imports import files, pages

participants = [
    path("participants/", listing.participant_list, name="participants"),
    path("participants/add/", adding.participant_add, name="participant_add"),
    path("participants/export.csv", export.participant_export, name="participant_export"),
    path("participants/imports/", pages.import_list, name="participant_imports"),
    path("participants/imports/new/", pages.import_new, name="participant_import_new"),
    path("participants/imports/<uuid:import_id>/", pages.import_page, name="participant_import"),
    path("participants/imports/<uuid:import_id>/columns/", pages.import_columns, name="participant_import_columns"),
    path("participants/imports/<uuid:import_id>/progress/", pages.import_progress, name="participant_import_progress"),
    path("participants/imports/<uuid:import_id>/start/", pages.import_begin, name="participant_import_start"),
    path("participants/imports/<uuid:import_id>/undo/", pages.import_take_back, name="participant_import_undo"),
    path("participants/imports/<uuid:import_id>/discard/", pages.import_throw_away, name="participant_import_discard"),
    path("participants/imports/<uuid:import_id>/errors.csv", files.import_errors, name="participant_import_errors"),
    path("participants/imports/<uuid:import_id>/kept.csv", files.import_kept, name="participant_import_kept"),
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
