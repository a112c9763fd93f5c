import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProxyError
from urllib3.exceptions import SSLError as PoolSSLError

from referral_rocket.kit import http
from referral_rocket.kit.http import Answer, Caller, Exchange, NoAnswer, NotSent, redact, retry_after_seconds

NOBODY = HTTPConnection("nobody.invalid")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: a\r\n\r\n{}"


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    """A bare server: `handle` has the connection once a request's head was read."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # The other side may be gone before all was said: that is what some of these tests are about.
            with connection, suppress(ConnectionError):
                connection.recv(65536)
                handle(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/things?email=friend@example.com"
    finally:
        listener.close()


def answering(raw: bytes):
    return listening(lambda connection: connection.sendall(raw))


def send(url: str, **options) -> Answer:
    caller = Caller(connect=0.3, read=0.3, total=0.6)
    return caller.send("POST", url, headers={"Authorization": "Bearer sk_secret"}, **options)


def test_it_works():
    record: list[Exchange] = []
    with answering(OK) as url:
        answer = send(url, body="amount=5&api_key=sk_1", record=record)

    assert (answer.status, answer.body, answer.headers["x-kind"]) == (200, b"{}", "a")
    (exchange,) = record
    assert (exchange.method, exchange.status_code, exchange.response) == ("POST", 200, {})
    assert exchange.request == {"amount": "5", "api_key": "[redacted]"}
    assert exchange.url.endswith("/v1/things?email=f***@example.com")
    assert "sk_" not in repr(exchange)


def test_an_error_status_is_an_answer():
    with answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 3\r\n\r\n") as url:
        answer = send(url)

    assert (answer.status, retry_after_seconds(answer.headers)) == (503, 3)


def test_a_redirect_is_not_followed():
    with answering(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as url:
        assert send(url).status == 302


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://", "ftp-nonsense", "http://nobody.invalid/"])
def test_nothing_was_sent(url):
    record: list[Exchange] = []
    with pytest.raises(NotSent):
        send(url, record=record)

    assert record[0].status_code is None


def test_a_connection_that_is_not_accepted():
    # A full backlog: the kernel drops what comes, and connecting times out.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        time.sleep(0.05)
        with pytest.raises(NotSent):
            send(f"http://127.0.0.1:{port}/")
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_an_answer_that_is_cut_off_or_unreadable(raw):
    with answering(raw) as url, pytest.raises(NoAnswer):
        send(url)


def test_silence():
    with listening(lambda connection: time.sleep(1)) as url, pytest.raises(NoAnswer) as caught:
        send(url)

    assert "time" in caught.value.reason


@pytest.mark.parametrize(
    ("header", "drop"),
    [(b"Transfer-Encoding: chunked", b"1\r\nx\r\n"), (b"Content-Length: 20", b"x")],
    ids=["of any length", "that says how long it is"],
)
def test_an_answer_that_drips(header, drop):
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n")
        for _ in range(20):
            time.sleep(0.1)
            connection.sendall(drop)

    started = time.monotonic()
    with listening(drip) as url, pytest.raises(NoAnswer):
        send(url)
    assert time.monotonic() - started < 1.5


def test_an_answer_that_is_too_large(monkeypatch):
    monkeypatch.setattr(http, "MAXIMUM_ANSWER_BYTES", 1)
    with answering(OK) as url, pytest.raises(NoAnswer):
        send(url)


def test_a_bad_certificate_is_seen_before_anything_is_sent():
    wrong = PoolSSLError(ssl.SSLCertVerificationError(1, "certificate verify failed"))

    assert isinstance(http._failure(wrong), NotSent)
    assert isinstance(http._failure(PoolSSLError(ssl.SSLEOFError(8, "EOF"))), NoAnswer)


def test_an_unknown_name_is_seen_before_anything_is_sent():
    unknown = NameResolutionError("nobody.invalid", NOBODY, socket.gaierror(-2, "unknown"))

    assert isinstance(http._failure(unknown), NotSent)


def test_a_proxy_that_is_away_is_seen_before_anything_is_sent():
    away = ProxyError("Unable to connect to proxy", NewConnectionError(NOBODY, "refused"))

    assert isinstance(http._failure(away), NotSent)
    assert isinstance(http._failure(ProxyError("Tunnel connection failed", OSError("502"))), NoAnswer)


def test_netrc_does_not_replace_our_credentials(tmp_path, monkeypatch):
    seen: list[bytes] = []
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            seen.append(connection.recv(65536))
            connection.sendall(OK)

    threading.Thread(target=serve, daemon=True).start()
    send(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    listener.close()

    assert b"Authorization: Bearer sk_secret" in seen[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("0.5", 0.5), ("", None), ("soon", None), ("-1", None), ("nan", None), ("inf", None), ("1e9", None)],
)
def test_retry_after(text, seconds):
    assert retry_after_seconds({"retry-after": text}) == seconds


def test_redact():
    shown = redact(
        {
            "id": "cus_1",
            "client_secret": "s",
            "name": "A Friend",
            "email": "friend@example.com",
            "address": None,
            "errors": [{"message": "No such customer friend.of@example.co.uk", "api_key": "x"}],
            "amount": 5,
        }
    )

    assert shown == {
        "id": "cus_1",
        "client_secret": "[redacted]",
        "name": "[redacted]",
        "email": "f***@example.com",
        "address": None,
        "errors": [{"message": "No such customer f***@example.co.uk", "api_key": "[redacted]"}],
        "amount": 5,
    }


@pytest.mark.parametrize("body", [b'{"a\\u0000b": "c\\u0000"}', b"a\0b"])
def test_what_is_kept_can_be_stored(body):
    record: list[Exchange] = []
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)) as url:
        assert send(url, record=record).body == body

    assert record[0].response in ({"a\ufffdb": "c\ufffd"}, "a\ufffdb")


def test_a_long_answer_is_cut():
    record: list[Exchange] = []
    body = b"x" * 20_000
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + body) as url:
        assert send(url, record=record).body == body

    assert len(record[0].response) < 7000


def test_a_connection_is_used_again():
    accepted = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        accepted.append(connection)
        with connection:
            for _ in range(2):
                connection.recv(65536)
                connection.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        caller = Caller(connect=0.3, read=0.3, total=0.6)
        for _ in range(2):
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            assert caller.send("GET", url, headers={}).body == b"{}"

    assert len(accepted) == 1


def test_the_proxy_that_the_environment_names_is_used(monkeypatch):
    seen: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            seen.append(connection.recv(65536))
            connection.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("http_proxy", f"http://us%40er:secret@127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        answer = send("http://provider.invalid/v1/things")

    assert answer.body == b"{}"
    assert seen[0].startswith(b"POST http://provider.invalid/v1/things HTTP/1.1")
    assert b64encode(b"us@er:secret") in seen[0]
