"""The pages of an organization, under `/o/<slug>/`. Each section has its own list of addresses.

The middleware takes the slug out of what a view gets; `links.to` and `{% to %}` put it in.
"""

from referral_rocket.dashboard.batches.urls import batches
from referral_rocket.dashboard.campaigns.urls import campaigns
from referral_rocket.dashboard.developers.urls import developers
from referral_rocket.dashboard.integrations.urls import integrations
from referral_rocket.dashboard.overview.urls import overview
from referral_rocket.dashboard.participants.urls import participants
from referral_rocket.dashboard.reconciliation.urls import reconciliation
from referral_rocket.dashboard.rewards.urls import rewards
from referral_rocket.dashboard.search import urls as search
from referral_rocket.dashboard.settings.urls import settings
from referral_rocket.dashboard.webhooks.urls import webhooks

app_name = "dashboard"
urlpatterns = [
    *overview,
    *campaigns,
    *participants,
    *integrations,
    *rewards,
    *batches,
    *reconciliation,
    *developers,
    *settings,
    *search,
    *webhooks,
]
