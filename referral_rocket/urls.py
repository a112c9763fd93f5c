"""Every address of the product, but the webhook door's (wsgi.py, middleware.BareDoors)."""

from django.urls import include, path

from referral_rocket import health
from referral_rocket.dashboard import share

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("r/<str:referral_code>", share.follow, name="share_link"),
    path("api/v1/", include("referral_rocket.api.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("referral_rocket.dashboard.entry_urls")),
    path("o/<slug:slug>/", include("referral_rocket.dashboard.urls")),
]
