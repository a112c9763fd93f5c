from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "referral_rocket.notices"
    label = "notices"
