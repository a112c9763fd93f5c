"""Workers for the faults test: a process that has everything loaded, and becomes a new worker by forking.

Reads a line a command on standard input: `start` answers with the new worker's process group, `gone` waits for what was
killed to end. What a child does is what `celery worker` does, but for the seconds that loading takes.
"""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "referral_rocket.settings")

import django

django.setup()

from referral_rocket.celery import app  # noqa: E402

app.loader.import_default_modules()


def start(number: int) -> int:
    child = os.fork()
    if child:
        return child
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    named = [f"--schedule={os.environ['SCHEDULE']}{number}", f"--hostname=faults{number}@%h"]
    plain = ["--loglevel=ERROR", "--without-gossip", "--without-mingle"]
    app.worker_main(["worker", "-B", "-Q", "deliveries,work", "-c", "2", *plain, *named])
    os._exit(0)


def main() -> None:
    number = 0
    for line in sys.stdin:
        if line.strip() == "start":
            number += 1
            answer = start(number)
        else:
            answer, _ = os.wait()
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
