"""WSGI entry point: `granian --interface wsgi referral_rocket.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

from referral_rocket.checks import refuse_unsafe_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")

refuse_unsafe_settings()
application = get_wsgi_application()
