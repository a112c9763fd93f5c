"""Every way to spell an address that we must not connect to."""

import ipaddress

import pytest

from referral_rocket.kit.addresses import AddressRefused, check, literal, may_connect, networks, url_problem

LOOPBACK = networks(("127.0.0.0/8", "::1/128"))

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
ALLOWED = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "198.20.0.1",
    "223.255.255.1",
]
ALLOWED_IPV6 = ["2606:4700::1111", "2a00:1450:4001::1", "2001:200::1", "2400:cb00::1"]


def test_it_works():
    check("8.8.8.8")
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1 is not a public address"):
        check("127.0.0.1")


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public(address):
    with pytest.raises(AddressRefused):
        check(address)


@pytest.mark.parametrize("address", ALLOWED + ALLOWED_IPV6)
def test_a_public_address(address):
    check(address)


def test_what_is_allowed_and_nothing_beside_it():
    allowed = networks(("10.1.0.0/16", "fd00:1::/32"))

    assert may_connect(ipaddress.ip_address("10.1.2.3"), allowed)
    assert may_connect(ipaddress.ip_address("fd00:1::5"), allowed)
    assert not may_connect(ipaddress.ip_address("10.2.0.1"), allowed)
    assert not may_connect(ipaddress.ip_address("::ffff:10.1.2.3"), allowed)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("2852039166", "169.254.169.254"),
        ("0xa9.0xfe.0xa9.0xfe", "169.254.169.254"),
        ("[::1]", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
        ("example.com", None),
        ("127.0.0.1.example.com", None),
    ],
)
def test_an_address_spelled_in_a_host(host, address):
    assert literal(host) == (address and ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/hook",
        "//example.com/hook",
        "example.com/hook",
        "https://",
        "https:///hook",
        "https://user:secret@example.com/hook",
        "https://user@example.com/hook",
        "https://example.com:0/hook",
        "https://example.com:99999/hook",
        "https://exa mple.com/hook",
        "https://example.com/hook\r\nX-Injected: 1",
        " https://example.com/hook",
        "https://[::1/hook",
        "https://localhost/hook",
        "https://app.localhost/hook",
        "https://metadata.google.internal/hook",
        "https://printer.local/hook",
        "https://127.0.0.1/hook",
        "https://2130706433/hook",
        "https://0177.0.0.1/hook",
        "https://0x7f.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:169.254.169.254]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.5:8443/hook",
    ],
)
def test_a_url_that_is_refused_before_any_connection(url):
    assert url_problem(url) is not None


@pytest.mark.parametrize("url", ["https://example.com/hook", "https://example.com:8443/a?b=c", "https://8.8.8.8/hook"])
def test_a_url_that_may_be_tried(url):
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("http://127.0.0.1:9000/hook", True),
        ("http://[::1]:9000/hook", True),
        ("https://127.0.0.1:9000/hook", True),
        ("http://8.8.8.8/hook", False),
        ("http://10.0.0.1/hook", False),
    ],
)
def test_http_is_for_allowed_networks_alone(url, fine):
    assert (url_problem(url, LOOPBACK) is None) == fine
