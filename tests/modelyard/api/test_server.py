"""The socket of a service, and the end of the process behind it."""

from __future__ import annotations

import socket

import pytest

from modelyard.api.server import listen, url_of
from modelyard.errors import ServiceError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_free_port_is_listened_on(host: str) -> None:
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port)):
            pass


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_address_of_ipv6_is_listened_on() -> None:
    with listen("::1", 0) as listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_a_port_that_cannot_be_had_is_one_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError) as refused:
            listen("127.0.0.1", port)
    assert str(refused.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another port or host"
    )


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_a_host_that_is_not_of_this_machine_is_one_sentence(host: str) -> None:
    with pytest.raises(ServiceError, match=host):
        listen(host, 0)
