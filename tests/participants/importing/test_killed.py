"""Killed between any two parts, or run twice at once, an import and its undo end as if nothing had happened."""

import contextlib
import os
import signal
import subprocess
import sys
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest
import time_machine
from django.db import connection

from participants.importing import checking, running, undoing
from participants.importing.models import ImportStatus
from participants.importing.working import work_on
from participants.models import Customer, Participant
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity.models import Activity
from referral_rocket.kit.clock import wall
from tests.concurrency import at_once
from tests.participants.importing import files

NUMBER = 9
FILE = files.as_csv(
    ("email", "code", "referred by"),
    [
        (f"p{place}@example.com", f"code{place}", f"code{place + 1}" if place < NUMBER - 1 else "")
        for place in range(NUMBER)
    ],
)
PARTS = [(running, "_write_part"), (checking, "_write"), (undoing, "_take_back")]


class Killed(BaseException):
    """Goes through everything, as SIGKILL does: no lease is given back, nothing is tidied up."""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    for module in (checking, running, undoing):
        monkeypatch.setattr(module, "CHUNK", 2)


def as_it_should_be(campaign):
    assert files.referrals(campaign) == {
        f"p{place}@example.com": f"p{place + 1}@example.com" if place < NUMBER - 1 else None for place in range(NUMBER)
    }
    with tenant(campaign.organization):
        joined = Activity.objects.filter(kind="participant.joined").values_list("subject_id", flat=True)
        assert len(joined) == len(set(joined)) == NUMBER
        assert Customer.objects.count() == NUMBER


def work_killed(monkeypatch, module, name, moment, when):
    """Work, killed at the `moment`-th call of that function, before or after it; then on, once the leases have run out."""
    calls = 0
    real = getattr(module, name)

    def deadly(*arguments):
        nonlocal calls
        calls += 1
        if calls == moment and when == "before":
            raise Killed
        answer = real(*arguments)
        if calls == moment and when == "after":
            raise Killed
        return answer

    with monkeypatch.context() as patched, contextlib.suppress(Killed):
        patched.setattr(module, name, deadly)
        while work_on():
            pass
    assert work_on() == 0 or calls < moment
    with time_machine.travel(wall() + timedelta(seconds=61), tick=True):
        files.work()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("module", "name", "moment"),
    [(*part, moment) for part in PARTS for moment in (1, 3)] + [(checking, "rows_resolve", 1)],
)
def test_it_works(organization, campaign, monkeypatch, module, name, moment, when):
    made = files.upload(organization, FILE)
    files.map_as_guessed(campaign, made)
    if module is checking:
        work_killed(monkeypatch, module, name, moment, when)
    files.work()
    files.start(made)
    if module is running:
        work_killed(monkeypatch, module, name, moment, when)
    files.work()
    assert files.fresh(made).figures["created"] == NUMBER
    as_it_should_be(campaign)

    files.ask_to_undo(made)
    if module is undoing:
        work_killed(monkeypatch, module, name, moment, when)
    files.work()
    assert files.fresh(made).figures["removed"] == NUMBER
    with tenant(organization):
        assert (Customer.objects.count(), Participant.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_do_it_once(organization, campaign):
    made = files.upload(organization, FILE)
    files.map_as_guessed(campaign, made)
    at_once(8, lambda _: files.work())
    files.start(made)
    at_once(8, lambda _: files.work())
    files.work()

    assert files.fresh(made).status == ImportStatus.FINISHED
    as_it_should_be(campaign)


@pytest.mark.django_db(transaction=True)
def test_two_files_with_the_same_people_at_once(organization, campaign):
    """In another order, so that they wait for one another."""
    backwards = files.as_csv(("email",), [(f"p{place}@example.com",) for place in reversed(range(NUMBER))])
    made = [files.checked(campaign, content) for content in (FILE, backwards)]
    for each in made:
        files.start(each)

    at_once(4, lambda _: files.work())
    with time_machine.travel(wall() + timedelta(seconds=61), tick=True):
        files.work()

    assert all(files.fresh(each).status == ImportStatus.FINISHED for each in made)
    assert (
        sum(files.fresh(each).figures["created"] for each in made)
        + sum(files.fresh(each).figures["left"] for each in made)
        + sum(files.fresh(each).figures["wrong"] for each in made)
        == 2 * NUMBER
    )
    with tenant(organization):
        assert (Customer.objects.count(), Participant.objects.count()) == (NUMBER, NUMBER)


WORKER = """
import os, signal, django
django.setup()
from participants.importing import {module}, working
from participants.importing.work import Work
{module}.CHUNK = 2
real, calls = Work.write, 0
def deadly(self, **values):
    global calls
    calls += 1
    if calls == {moment} and "{when}" == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, **values)
    if calls == {moment}:
        os.kill(os.getpid(), signal.SIGKILL)
Work.write = deadly
while working.work_on():
    pass
"""


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_a_killed_process(organization, campaign):
    """SIGKILL before and after the last write of a part, so inside of its transaction, twice in each step."""
    made = files.upload(organization, FILE)
    files.map_as_guessed(campaign, made)
    _killed_twice("checking")
    files.start(files.fresh(made))
    _killed_twice("running")
    as_it_should_be(campaign)
    files.ask_to_undo(made)
    _killed_twice("undoing")
    with tenant(organization):
        assert (Customer.objects.count(), Participant.objects.count()) == (0, 0)


def _killed_twice(module):
    address = urlsplit(os.environ["DATABASE_URL"])
    url = urlunsplit(address._replace(path=f"/{connection.settings_dict['NAME']}"))
    # Without a lease that outlives the killed one: what it held is free at once.
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "referral_rocket.settings"}
    for when in ("before", "after"):
        ended = subprocess.run(
            [sys.executable, "-c", WORKER.format(module=module, moment=2, when=when)],
            env={**environment, "LEASE_SECONDS": "0"},
            check=False,
            capture_output=True,
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    files.work()
