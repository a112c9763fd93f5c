"""What a Celery worker does before it starts its processes."""

import gc

from celery.signals import worker_before_create_process

import referral_rocket.celery  # noqa: F401 - connects to the signal


def test_what_is_loaded_is_left_out_of_garbage_collection() -> None:
    frozen = gc.get_freeze_count()
    try:
        worker_before_create_process.send(sender=None)
        assert gc.get_freeze_count() > frozen + 1000
    finally:
        gc.unfreeze()
