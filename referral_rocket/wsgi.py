"""WSGI entry point: `granian --interface wsgi referral_rocket.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")

application = get_wsgi_application()
