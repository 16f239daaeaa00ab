"""Node.js functions, whose processes are prewarmed and wait: they have no privileges either."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import host
from tests.hostile.cases import case
from tests.hostile.conftest import Function, StartFunction


@pytest.fixture
def attacker(start: StartFunction, mode: str) -> Iterator[Function]:
    """A separate function for each attack."""
    function = start(mode, Runtime="nodejs20.x", Handler="index.handler", MemorySize=1024)
    function.do("here")
    yield function
    function.delete()


@case("node-capabilities")
def test_node_has_no_rights(attacker: Function) -> None:
    """One user, no capability, no_new_privs and a filter, for children and every thread too."""
    attacker.do("stay")
    box = attacker.box(by="here")
    pids = box.functions()
    assert len(pids) == 2
    for task in [int(task.name) for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]:
        status = host.status_of(task)
        assert set(status["Uid"].split()) == {str(box.uid)}
        assert {int(status[name], 16) for name in host.CAPABILITY_SETS} == {0}
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@case("node-descriptors")
def test_nothing_of_the_host_is_open_in_node(attacker: Function) -> None:
    """Its own pipes, its event loop's descriptors, and sockets of the box's network."""
    assert attacker.do("descriptors") > 3
    box = attacker.box(by="here")
    (pid,) = box.functions()
    links = {host.link(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    kinds = {link.partition(":[")[0] for link in links}
    assert kinds <= {
        "/dev/null", "pipe", "socket", "anon_inode:[eventpoll]", "anon_inode:[eventfd]",
        "anon_inode",
    }  # fmt: skip
    assert not {link for link in links if "uring" in link or "bpf" in link or "mnt" in link}
    tables = [Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "unix")]
    own = set(" ".join(tables).split())
    assert {link.strip("socket:[]") for link in links if link.startswith("socket")} <= own


@case("host-tools")
def test_the_hosts_tools_do_nothing(attacker: Function) -> None:
    """unshare, nsenter, mount, chroot, su and others fail; namespaces, mounts and the host's
    settings are unchanged."""
    box = attacker.box(by="here")
    before = box.namespaces(), box.mounts(), host.state()
    clock = host.clock_ahead_s()
    statuses = attacker.do("tools")
    assert all(status != 0 for _, status in statuses), statuses
    assert len([status for _, status in statuses if status is not None]) >= 5
    assert (box.namespaces(), box.mounts(), host.state()) == before
    assert abs(host.clock_ahead_s() - clock) < 1.5
