"""The Celery application: `celery -A referral_rocket.celery worker -Q work`.

Messages only nudge (kit/nudges.py); what has to be done stands in tables, which the sweeps below look through.
"""

import gc
import os

from celery import Celery
from celery.signals import worker_before_create_process
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")

app = Celery("referral_rocket")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()


@worker_before_create_process.connect
def _keep_what_is_loaded(**ignored: object) -> None:
    # It stays as long as the worker does. Its processes would look through all of it again and again for garbage, and
    # so copy the memory that they share.
    gc.collect()
    gc.freeze()


def _every(task: str, seconds: float) -> dict[str, object]:
    # A sweep that was not picked up before the next one is due is dropped: after an outage one sweep is enough.
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


app.conf.beat_schedule = {
    "deliveries": _every("webhooks.outbound.tasks.deliver", 5),
    "orders-waiting": _every("webhooks.outbound.tasks.order_what_waited", 60),
    "notices": _every("referral_rocket.notices.tasks.send_notices", 60),
    "recipients-asked": _every("webhooks.outbound.tasks.ask_recipients", 20),
    "outbox": _every("referral_rocket.activity.tasks.hand_on", 5),
    "inbound": _every("webhooks.inbound.tasks.work_off", 5),
    "inbound-completions": _every("webhooks.inbound.tasks.complete", 20),
    "inbound-forgettings": _every("webhooks.inbound.tasks.forget", 60),
    "inbound-replays": _every("webhooks.inbound.tasks.replay", 5),
    "backfills": _every("webhooks.inbound.tasks.backfill", 10),
    "imports": _every("participants.tasks.import_participants", 10),
    "imports-forgotten": _every("participants.tasks.forget_old_imports", 3600),
    "automatic": _every("rewards.tasks.issue_automatically", 60),
    "deductions": _every("rewards.tasks.take_back_deductions", 60),
    "issuing": _every("rewards.tasks.run_batches", 5),
    "queued-rewards": _every("rewards.tasks.issue_queued", 60),
    "recipients": _every("rewards.tasks.retry_recipients", 20),
    "connection-checks": _every("integrations.tasks.check_connections", 5),
    "signing-keys": _every("integrations.tasks.fetch_signing_keys", 5),
    "api-answers": _every("referral_rocket.api.tasks.forget_old_answers", 3600),
    "api-log": _every("referral_rocket.api.tasks.forget_old_log", 3600),
    "reconciliations": _every("rewards.tasks.reconcile", 5),
    "reconciliations-daily": _every("rewards.tasks.begin_reconciliations", 600),
    "releases": _every("rewards.tasks.release_due", 60),
}
