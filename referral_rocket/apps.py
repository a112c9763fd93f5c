from django.apps import AppConfig
from django.core.checks import Tags, register

from referral_rocket.checks import role_obeys_row_level_security, settings_are_set


class RocketConfig(AppConfig):
    """The roof itself: brings the system checks."""

    name = "referral_rocket"

    def ready(self) -> None:
        register(settings_are_set, Tags.security)
        register(role_obeys_row_level_security, Tags.database)
