"""Listening sockets that are older than their process."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from lambent.instance import listening
from lambent.instance.listening import FRONT, TLS, ListeningError, inherited, serves, sockets_of


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def passed(*sockets: socket.socket) -> list[int]:
    """Descriptors as they arrive in another process."""
    return [os.dup(opened.fileno()) for opened in sockets]


def is_open(descriptor: int) -> bool:
    """Whether a descriptor is in use."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def environment(**more: str) -> dict[str, str]:
    """What systemd sets for this process."""
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0", "PATH": "/bin", **more}


def test_sockets_of_systemd(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are found by their position and name, and the variables are gone: children must not
    take them for their own."""
    first = passed(listener, listener)
    monkeypatch.setattr(listening, "_FIRST_DESCRIPTOR", min(first))
    if first[1] != first[0] + 1:
        os.dup2(first[1], first[0] + 1)
    given = environment(LISTEN_FDS="2", LISTEN_FDNAMES="tls:lambent.socket")
    found = inherited(given)
    assert given == {"PATH": "/bin"}
    assert [*found] == [TLS, FRONT]
    for opened in found.values():
        assert opened.getsockname() == listener.getsockname()
        assert not opened.get_inheritable()
        opened.close()


@pytest.mark.parametrize(
    "more", [{"LISTEN_PID": "1"}, {"LISTEN_PID": ""}, {"LISTEN_FDS": "0"}], ids=str
)
def test_none_are_meant_for_this_process(more: dict[str, str]) -> None:
    """Those of another process, and none at all."""
    given = environment(**{"LISTEN_FDS": "3", **more})
    assert inherited(given) == {}
    assert given == {"PATH": "/bin"}


@pytest.mark.parametrize("count", ["", "-1", "x", "17", "9" * 30, "²"])
def test_a_count_that_makes_no_sense(count: str) -> None:
    """It is named in the error."""
    with pytest.raises(ListeningError, match="LISTEN_FDS"):
        inherited(environment(LISTEN_FDS=count))


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def unix() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def not_listening() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


@pytest.mark.parametrize("make", [udp, unix, not_listening])
def test_what_does_not_listen_is_refused(
    listener: socket.socket, make: Callable[[], socket.socket]
) -> None:
    """And everything that came with it is closed."""
    with make() as other:
        descriptors = passed(listener, other)
    with pytest.raises(ListeningError, match="no listening socket"):
        sockets_of([TLS, FRONT], descriptors)
    assert not any(map(is_open, descriptors))


def test_names_and_descriptors_must_fit(listener: socket.socket) -> None:
    """One of each, no name twice, no descriptor that is not open or is a file."""
    for names in (["a"], ["a", "b", "c"], ["a", "a"]):
        descriptors = passed(listener, listener)
        with pytest.raises(ListeningError):
            sockets_of(names, descriptors)
        assert not any(map(is_open, descriptors))
    with pytest.raises(ListeningError):
        sockets_of(["a"], [10_000])
    file = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(ListeningError):
        sockets_of(["a"], [file])
    assert not is_open(file)


def test_the_address_must_be_that_of_the_settings(listener: socket.socket) -> None:
    """Otherwise a platform without authentication could be open to a network."""
    port = listener.getsockname()[1]
    assert serves(listener, "127.0.0.1", 0)
    assert serves(listener, "127.0.0.1", port)
    assert serves(listener, "localhost", port)
    assert not serves(listener, "127.0.0.1", port + 1)
    assert not serves(listener, "127.0.0.2", port)
    assert not serves(listener, "0.0.0.0", port)
    assert not serves(listener, "::1", port)
