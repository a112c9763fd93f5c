from django.apps import AppConfig
from django.core.checks import register

from integrations.checks import columns_are_known


class IntegrationsConfig(AppConfig):
    name = "integrations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(columns_are_known)
