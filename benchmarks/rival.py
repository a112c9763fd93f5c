"""A project with nothing but dj-stripe in it, for the inbound benchmark: written into a folder that is thrown away.

Texts, since dj-stripe isn't installed where these would be checked.
"""

from pathlib import Path

FILES = {
    "rival_settings.py": """\
import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "not a secret: a throwaway project"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "djstripe"]
MIDDLEWARE = []
ROOT_URLCONF = "rival_urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.path.lstrip("/"),
        "USER": _database.username,
        "PASSWORD": _database.password,
        "HOST": _database.hostname,
        "PORT": _database.port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
STRIPE_LIVE_MODE = False
# It takes no key that is shorter than Stripe's: each event would be answered with 500.
STRIPE_TEST_SECRET_KEY = "sk_test_" + "0" * 24
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
LOGGING = {"version": 1, "disable_existing_loggers": True}
""",
    "rival_urls.py": """\
from django.urls import include, path

urlpatterns = [path("stripe/", include("djstripe.urls", namespace="djstripe"))]
""",
    "rival_wsgi.py": """\
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rival_settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
""",
    "rival_set_up.py": """\
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rival_settings")

import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from djstripe.models import Account, APIKey, WebhookEndpoint

call_command("migrate", verbosity=0)
account = Account.objects.create(id="acct_1", livemode=False, stripe_data={"id": "acct_1", "object": "account"})
APIKey.objects.create(
    id="key_1",
    type="secret",
    secret=settings.STRIPE_TEST_SECRET_KEY,
    livemode=False,
    djstripe_owner_account=account,
)
endpoint = WebhookEndpoint.objects.create(
    id="we_1",
    livemode=False,
    secret=sys.argv[1],
    enabled_events=["*"],
    url="https://example.com",
    status="enabled",
    djstripe_validation_method="verify_signature",
    djstripe_owner_account=account,
    stripe_data={"id": "we_1", "object": "webhook_endpoint", "enabled_events": ["*"], "status": "enabled"},
)
print(f"/stripe/webhook/{endpoint.djstripe_uuid}/")
""",
}


def write(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).write_text(text)
