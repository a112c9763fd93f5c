"""Addresses of the Settings section."""

from django.urls import path

from referral_rocket.dashboard.settings import account, activity_log, data, general, members, notifications, ownership

settings = [
    path("settings/", general.organization, name="settings"),
    path("settings/hand-over/", ownership.hand_over, name="hand_over"),
    path("settings/members/", members.member_list, name="members"),
    path("settings/members/invite/", members.invite, name="member_invite"),
    path("settings/members/<uuid:membership_id>/role/", members.change_role, name="member_role"),
    path("settings/members/<uuid:membership_id>/remove/", members.remove, name="member_remove"),
    path("settings/invitations/<uuid:invitation_id>/revoke/", members.revoke, name="invitation_revoke"),
    path("settings/profile/", account.profile, name="profile"),
    path("settings/security/", account.security, name="security"),
    path("settings/notifications/", notifications.notifications, name="notifications"),
    path("settings/data/", data.data, name="data"),
    path("settings/activity/", activity_log.activity, name="activity"),
]
