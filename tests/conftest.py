"""What tests of every app share: a browser, the providers' contracts, and the rule that nothing is skipped in CI."""

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from playwright.sync_api import Browser, sync_playwright

from campaigns.models import Campaign
from participants.models import Participant
from referral_rocket.accounts.models import Organization
from tests import factories

IN_CI = os.environ.get("CI", "").lower() == "true"
PROJECT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A browser that calls its maker's servers at every start would have its connections refused on a closed network, and
# as root it has no sandbox to run in.
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser_program() -> str | None:
    """The Chromium to test with: the one that CHROMIUM names, else the system's; None where there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded and collected stays to the end, so garbage isn't looked for in it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def flushed_without_permissions() -> Iterator[None]:
    """After a test that commits every table is emptied. Filling Django's own again, which nothing here reads, took twice
    as long."""
    with patch("django.core.management.commands.flush.emit_post_migrate_signal"):
        yield


@pytest.fixture(scope="session")
def chromium_program() -> str:
    """The path of Chromium. A test that asks for it is skipped where there is none, and fails in CI."""
    program = browser_program()
    if program is None:
        pytest.skip("no Chromium here: install it, or name it with CHROMIUM=/path/to/chromium")
    return program


@pytest.fixture(scope="session")
def chromium(chromium_program: str) -> Iterator[Browser]:
    """A running browser; open a context of your own in it."""
    # Playwright's event loop runs in this thread, where Django would then refuse each query.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program, args=list(BROWSER_OPTIONS))
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def contracts() -> Path:
    """The folder of what the providers publish about their interfaces: CONTRACTS_DIR, or `shared` beside the clone."""
    folder = Path(os.environ.get("CONTRACTS_DIR") or PROJECT.parent / "shared" / "contracts")
    if not folder.is_dir():
        pytest.skip(f"the providers' contracts are not in {folder}: name their folder with CONTRACTS_DIR")
    return folder


@pytest.fixture
def organization(db: None) -> Organization:
    """A live organization with its test twin and an owner."""
    return factories.organization("Acme")


@pytest.fixture
def other_organization(db: None) -> Organization:
    """Another tenant, whose rows nothing of the first one's may show or touch."""
    return factories.organization("Other Ltd")


@pytest.fixture
def campaign(organization: Organization) -> Campaign:
    """An active campaign of `organization` in USD that gives the referrer $12.00 for each referred person."""
    return factories.campaign(organization, name="Friends")


@pytest.fixture
def participant(campaign: Campaign) -> Participant:
    """Somebody who shares."""
    return factories.participant(campaign, "sharer@example.com")


@pytest.fixture
def referred(participant: Participant) -> Participant:
    """Somebody who came through `participant`."""
    return factories.participant(participant.campaign, "friend@example.com", referred_by=participant)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"nothing is skipped in CI: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    missed = [report for report in terminalreporter.getreports("skipped") if "no Chromium here" in str(report.longrepr)]
    if missed:
        terminalreporter.section("THE BROWSER TESTS DID NOT RUN", red=True, bold=True)
        terminalreporter.line(f"{len(missed)} tests need Chromium, and there is none on this machine.", red=True)
        terminalreporter.line("Install it (Debian: apt-get install chromium) or name it: CHROMIUM=/path/to/chromium")
