from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "referral_rocket.accounts"
    label = "accounts"
