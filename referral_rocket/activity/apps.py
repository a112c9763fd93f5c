from django.apps import AppConfig


class ActivityConfig(AppConfig):
    name = "referral_rocket.activity"
    label = "activity"
