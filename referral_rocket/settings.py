"""All settings, read from the environment. `.env.example` lists every variable; `checks.py` names what is missing."""

from datetime import timedelta
from pathlib import Path

import environ
import structlog

from referral_rocket.logs import LOGGING as LOGGING
from referral_rocket.logs import configure_structlog

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
# Empty values are refused by checks.py with a message that says what to do, rather than by a traceback here.
UNSET = "unset"
SECRET_KEY = env.str("SECRET_KEY", default="") or UNSET
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[])
BASE_URL = env.str("BASE_URL", default="http://localhost:8000").rstrip("/")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[environ.urlparse(BASE_URL).hostname or "localhost", "localhost", "127.0.0.1"]
)
CSRF_TRUSTED_ORIGINS = [BASE_URL]
SERVED_BY_TLS = BASE_URL.startswith("https://")

INSTALLED_APPS = [
    "referral_rocket",
    "referral_rocket.accounts",
    "referral_rocket.activity",
    "referral_rocket.notices",
    "integrations",
    "campaigns",
    "participants",
    "rewards",
    "webhooks.inbound",
    "webhooks.outbound",
    "referral_rocket.dashboard",
    "referral_rocket.api",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_cotton.apps.SimpleAppConfig",
    "django_htmx",
    "django_structlog",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "referral_rocket.middleware.BareDoors",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "referral_rocket.middleware.OrganizationMiddleware",
]

ROOT_URLCONF = "referral_rocket.urls"
WSGI_APPLICATION = "referral_rocket.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "referral_rocket.dashboard.context.frame",
            ],
            "builtins": ["django_cotton.templatetags.cotton"],
        },
    }
]
COTTON_DIR = "cotton"

DATABASES = {"default": env.db_url("DATABASE_URL", default="postgres://rocket@127.0.0.1:5432/rocket")}
DATABASES["default"] |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    # PgBouncer in transaction mode can't keep a cursor across transactions.
    "DISABLE_SERVER_SIDE_CURSORS": True,
    # Tests begin with a copy of this database, which saves migrating an empty one.
    "TEST": {"TEMPLATE": env.str("TEST_DATABASE_TEMPLATE", default="") or None},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "referral_rocket.kit.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.2, "socket_connect_timeout": 0.2},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SERVED_BY_TLS
SESSION_COOKIE_SAMESITE = "Lax"
if SERVED_BY_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_HASHERS = env.list(
    "PASSWORD_HASHERS",
    default=["django.contrib.auth.hashers.ScryptPasswordHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"],
)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "referral_rocket.dashboard.sign_in.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "referral_rocket.dashboard.sign_in.SignupForm"
ACCOUNT_FORMS = {
    "login": "referral_rocket.dashboard.entry_forms.LoginForm",
    "signup": "referral_rocket.dashboard.entry_forms.SignupForm",
    "add_email": "referral_rocket.dashboard.entry_forms.AddEmailForm",
    "change_password": "referral_rocket.dashboard.entry_forms.ChangePasswordForm",
    "reset_password": "referral_rocket.dashboard.entry_forms.ResetPasswordForm",
    "reset_password_from_key": "referral_rocket.dashboard.entry_forms.ResetPasswordKeyForm",
    "reauthenticate": "referral_rocket.dashboard.entry_forms.ReauthenticateForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SERVED_BY_TLS else "http"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Referral Rocket"
MFA_ADAPTER = "referral_rocket.dashboard.sign_in.MfaAdapter"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / ".local" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env.str("STATIC_STORAGE", default="whitenoise.storage.CompressedManifestStaticFilesStorage")
    },
}

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Referral Rocket <no-reply@localhost>")

SELF = "'self'"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ("/api/v1/docs",),
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "style-src": [SELF],
        "script-src": [SELF],
        "frame-ancestors": ["'none'"],
        "form-action": [SELF],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    },
}

# The API's limit of 1 MB and the inbound door's of 5 MB are checked in their own places, with their own answers.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024 + 1
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_DEFAULT_QUEUE = "work"
CELERY_TASK_ROUTES = {"webhooks.outbound.tasks.deliver": {"queue": "deliveries"}}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 0.2,
    "socket_connect_timeout": 0.2,
    "retry_on_timeout": False,
    # Without these kombu tries for six seconds to connect, and whoever nudges waits for it. A worker's own
    # attempts to connect don't look at them.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_REDIS_SOCKET_TIMEOUT = 0.2
CELERY_REDIS_SOCKET_CONNECT_TIMEOUT = 0.2
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"

# How long a worker holds what it claimed, in seconds, unless it renews it (architecture: kit/leases.py).
LEASE_SECONDS = env.int("LEASE_SECONDS", default=60)
API_RATE_LIMIT = env.int("API_RATE_LIMIT", default=100)
API_RATE_BURST_SECONDS = 10
PROVIDER_API_BASES = {
    name.lower(): env.str(f"{name}_API_BASE", default="").rstrip("/") or None
    for name in ("STRIPE", "SHOPIFY", "TREMENDOUS", "PAYPAL", "WISE", "RAZORPAY", "CASHFREE")
}
# The columns of Wise's batch file, where its template isn't the one for e-mail addresses (providers/wise/payment_file.py).
WISE_FILE_COLUMNS = env.list("WISE_FILE_COLUMNS", default=[])
# The app at Shopify that shops install to be connected; without it they paste an access token.
SHOPIFY_CLIENT_ID = env.str("SHOPIFY_CLIENT_ID", default="")
SHOPIFY_CLIENT_SECRET = env.str("SHOPIFY_CLIENT_SECRET", default="")
WEBHOOK_ALLOWED_PRIVATE_NETWORKS = env.list("WEBHOOK_ALLOWED_PRIVATE_NETWORKS", default=[])
# Who is handed what happened: functions that activity/outbox.py calls, each in the transaction that empties the outbox.
ACTIVITY_CONSUMERS = ["webhooks.outbound.fanout.consume", "referral_rocket.notices.consuming.consume"]
# What a file of participants may have, and for how many days its rows are kept, with them the undo of its import.
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=50_000_000)
IMPORT_MAX_ROWS = env.int("IMPORT_MAX_ROWS", default=200_000)
IMPORT_KEEP_DAYS = env.int("IMPORT_KEEP_DAYS", default=30)
METRICS_OPEN = env.bool("METRICS_OPEN", default=False)
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
INVITATION_LIFETIME = timedelta(days=14)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["referral_rocket.api.keys.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["referral_rocket.api.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "referral_rocket.api.schema.Schema",
    "EXCEPTION_HANDLER": "referral_rocket.api.problems.answer",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Referral Rocket API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": [],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # Enums stay where they are used: names made up for equal ones would change with every new one.
    "POSTPROCESSING_HOOKS": [],
}

DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
configure_structlog()
log = structlog.get_logger(__name__)
