from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "referral_rocket.dashboard"
