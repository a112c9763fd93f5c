"""SIGKILL to the worker while a mail server is at a mail: the others have theirs, and it ends after a restart."""

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from integrations.services import connection_needs_attention
from referral_rocket.accounts.models import Membership
from referral_rocket.accounts.roles import Role
from referral_rocket.accounts.scoping import tenant
from referral_rocket.activity import outbox
from referral_rocket.kit.clock import wall
from referral_rocket.notices.models import PendingNotice
from referral_rocket.notices.tasks import send_notices
from tests import factories
from tests.rewards.nursery import nursery, wait_until

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mails; the one that is `silent_at` it has, and never says so."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.got: list[str] = []
        self.silent_at: int | None = 2
        self.over = threading.Event()


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.say("220 here")
        recipient = ""
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].split(" ")[0].upper()
            if word == "RCPT":
                recipient = line.partition("<")[2].rstrip(">")
            if word != "DATA":
                self.say("221 bye" if word == "QUIT" else "250 fine")
                continue
            self.say("354 go on")
            while self.rfile.readline() not in (b".\r\n", b""):
                pass
            self.server.got.append(recipient)
            if len(self.server.got) == self.server.silent_at:
                self.server.over.wait()
                return
            self.say("250 taken")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()


def sweep() -> None:
    send_notices.apply_async(expires=1)


def test_it_works() -> None:
    organization = factories.organization()
    people = [factories.user() for _ in range(3)]
    with tenant(organization):
        Membership.objects.all().delete()
        for user in people:
            Membership.objects.create(organization=organization, user=user, role=Role.ADMIN)
    link = factories.connection(organization)
    with tenant(organization):
        connection_needs_attention(connection=link, reason="Stripe refuses the key.", actor="system:test")
    outbox.run()
    with mail_server() as server, nursery(EMAIL_URL=f"smtp://127.0.0.1:{server.server_address[1]}") as workers:
        workers.start()
        wait_until(lambda: len(server.got) == 2, seconds=120, meanwhile=sweep)
        workers.kill()
        with tenant(organization):
            (notice,) = PendingNotice.objects.all()
            assert len(notice.told) == 1
            assert notice.due_at > wall()
            # Nobody waits for two minutes here.
            PendingNotice.objects.update(due_at=wall())
        workers.start()

        def is_over() -> bool:
            with tenant(organization):
                return not PendingNotice.objects.exists()

        wait_until(is_over, seconds=120, meanwhile=sweep)
        workers.kill()
        got = Counter(server.got)

    # Nobody is left out; the one whose mail was under way has it once more, which can't be known.
    assert sorted(got) == sorted(user.email for user in people)
    assert sorted(got.values()) == [1, 1, 2]
    assert got[server.got[1]] == 2
