"""Ports for servers that are started a moment later."""

import socket

from embedded.ports import LOOPBACK, SERVER_PORTS, free_port

EPHEMERAL = 40_000


def test_it_works() -> None:
    port = free_port()
    assert port in SERVER_PORTS
    with socket.create_server((LOOPBACK, port)):
        assert free_port(port) != port
    assert free_port(port) == port


def test_one_that_is_promised_to_somebody_else_is_passed_over() -> None:
    port = free_port()
    assert free_port(port, besides=[port]) != port


def test_a_port_that_clients_are_given_is_left_to_them() -> None:
    assert free_port(EPHEMERAL) in SERVER_PORTS
