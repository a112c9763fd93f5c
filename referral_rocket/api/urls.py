"""Every address of the API."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from referral_rocket.api.problems import unknown_path
from referral_rocket.api.resources import (
    batches,
    campaigns,
    connections,
    customers,
    events,
    organization,
    participants,
    refunds,
    rewards,
    webhooks,
)

app_name = "api"

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="api:schema"), name="docs"),
    path("organization", organization.OrganizationView.as_view()),
    path("test-clock", organization.TestClockView.as_view()),
    path("campaigns", campaigns.CampaignsView.as_view()),
    path("campaigns/<str:campaign_id>", campaigns.CampaignView.as_view()),
    path("campaigns/<str:campaign_id>/dry-run", campaigns.CampaignDryRunView.as_view()),
    path("campaigns/<str:campaign_id>/participants", participants.CampaignParticipantsView.as_view()),
    path("campaigns/<str:campaign_id>/events", events.CampaignEventsView.as_view()),
    path("campaigns/<str:campaign_id>/refunds", refunds.CampaignRefundsView.as_view()),
    path("participants/<str:participant_id>", participants.ParticipantView.as_view()),
    path("events", events.EventsView.as_view()),
    path("events/<str:event_id>", events.EventView.as_view()),
    path("events/<str:event_id>/refunds", refunds.EventRefundsView.as_view()),
    path("rewards", rewards.RewardsView.as_view()),
    path("rewards/<str:reward_id>", rewards.RewardView.as_view()),
    path("rewards/<str:reward_id>/history", rewards.RewardHistoryView.as_view()),
    path("rewards/<str:reward_id>/parts", rewards.RewardPartsView.as_view()),
    path("rewards/<str:reward_id>/approve", rewards.RewardApproveView.as_view()),
    path("rewards/<str:reward_id>/reject", rewards.RewardRejectView.as_view()),
    path("customers/<str:customer_id>", customers.CustomerView.as_view()),
    path("customers/<str:customer_id>/rewards", customers.CustomerRewardsView.as_view()),
    path("customers/<str:customer_id>/balance", customers.CustomerBalanceView.as_view()),
    path("reward-batches", batches.BatchesView.as_view()),
    path("reward-batches/<str:batch_id>", batches.BatchView.as_view()),
    path("reward-batches/<str:batch_id>/items", batches.BatchItemsView.as_view()),
    path("reward-batches/<str:batch_id>/file", batches.BatchFileView.as_view()),
    path("reward-batches/<str:batch_id>/results", batches.BatchResultsView.as_view()),
    path("reward-batches/<str:batch_id>/approve", batches.BatchApproveView.as_view()),
    path("reward-batches/<str:batch_id>/cancel", batches.BatchCancelView.as_view()),
    path("connections", connections.ConnectionsView.as_view()),
    path("connections/<str:connection_id>", connections.ConnectionView.as_view()),
    path("connections/<str:connection_id>/check", connections.ConnectionCheckView.as_view()),
    path("webhook-endpoints", webhooks.EndpointsView.as_view()),
    path("webhook-endpoints/<str:endpoint_id>", webhooks.EndpointView.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/rotate-secret", webhooks.EndpointSecretView.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/test", webhooks.EndpointTestView.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/replay", webhooks.EndpointReplayView.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/deliveries", webhooks.EndpointDeliveriesView.as_view()),
    path("deliveries/<str:delivery_id>", webhooks.DeliveryView.as_view()),
    path("deliveries/<str:delivery_id>/retry", webhooks.DeliveryRetryView.as_view()),
    re_path(r"^(?P<path>.*)$", unknown_path),
]
