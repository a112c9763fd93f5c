from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "referral_rocket.api"
    label = "api"
