"""Addresses of the Rewards section."""

from django.urls import path

from referral_rocket.dashboard.rewards import due, lists, reward

rewards = [
    path("rewards/", lists.rewards_list, name="rewards"),
    path("rewards/export.csv", lists.rewards_export, name="rewards_export"),
    path("rewards/review/", lists.review, name="rewards_review"),
    path("rewards/due/<uuid:campaign_id>/", due.due_table, name="reward_due"),
    path("rewards/due/<uuid:campaign_id>/<uuid:participant_id>/<str:currency>/", due.due_row, name="due_row"),
    path("rewards/<uuid:reward_id>/", reward.reward, name="reward"),
    path("rewards/<uuid:reward_id>/confirm/", reward.confirm, name="reward_confirm"),
    path("rewards/<uuid:reward_id>/deduct/", reward.deduct, name="reward_deduct"),
    path("rewards/<uuid:reward_id>/release/", reward.release, name="reward_release"),
    path("rewards/<uuid:reward_id>/cancel/", reward.cancel, name="reward_cancel"),
    path("rewards/<uuid:reward_id>/approve/", reward.approve, name="reward_approve"),
    path("rewards/<uuid:reward_id>/reject/", reward.reject, name="reward_reject"),
]
