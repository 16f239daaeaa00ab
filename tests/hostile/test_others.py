"""Memory, variables, files, sockets and processes of other environments and of the platform."""

import contextlib
import glob
import json
import os
import signal
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import host
from tests.hostile.cases import case
from tests.hostile.conftest import Function, Neighbour, StartFunction
from tests.platforms import Platform, wait_for


class Victim:
    """Another customer's function that has a secret, and the platform's own processes."""

    def __init__(self, function: Function, platform: Platform, secret: str) -> None:
        self.function = function
        self.secret = secret
        shown, self.address = function.do("others.hold", secret=secret)
        assert shown == secret
        self.box = function.box()
        launcher = platform.launcher_pid
        self.zygotes = [
            pid
            for pid in host.below(launcher)
            if b"zygote.py" in host.command_of(pid)
            and host.status_of(pid).get("Uid", "").startswith("0\t")
        ]
        assert self.zygotes
        self.platform = [platform.process.pid, launcher]
        self.pids = [*self.platform, *self.zygotes, *self.box.pids()]
        self._alive = host.alive(self.pids)

    def assert_untouched(self) -> None:
        """Every process lives and is not traced, and the secret is unchanged."""
        assert host.alive(self.pids) == self._alive
        for pid in self.pids:
            status = host.status_of(pid)
            assert status["TracerPid"] == "0"
            assert status["State"][0] not in "tTZX" or pid in self.box.pids()
        assert self.function.do("others.reveal") == self.secret * 3
        assert (self.box.inside("/tmp/secret")).read_text() == self.secret


@pytest.fixture(scope="module")
def victim(start: StartFunction, platform: Platform) -> Victim:
    """It has its secret in all the places from which it could be stolen."""
    secret = f"secret-{uuid.uuid4().hex}"
    return Victim(start(variables={"SECRET": secret}), platform, secret)


@pytest.fixture
def attacker(start: StartFunction, mode: str) -> Iterator[Function]:
    """A separate function for each attack."""
    function = start(mode)
    yield function
    function.delete()


def assert_keeps_secret(victim: Victim, response: Any) -> None:
    """Neither the secret nor anything of the host is in what an attacker found."""
    text = json.dumps(response)
    assert victim.secret not in text
    assert str(os.getcwd()) not in text
    victim.assert_untouched()


@case("proc-of-others")
def test_proc_shows_no_other_process(victim: Victim, attacker: Function) -> None:
    """Memory, variables, descriptors and root of the platform, zygotes and other boxes."""
    results = attacker.do("others.read_proc", pids=victim.pids)
    assert_keeps_secret(victim, results)
    assert set(map(str, results)) == {"ENOENT"}
    assert set(victim.box.pids()).isdisjoint(attacker.box().pids())


@case("read-memory")
def test_memory_of_others_cannot_be_read(victim: Victim, attacker: Function) -> None:
    """process_vm_readv and `/proc/PID/mem`, of init and of pids of the host."""
    results = attacker.do("others.read_memory", pids=victim.pids, address=victim.address)
    assert_keeps_secret(victim, results)
    at = writable_address(attacker.box().init)
    for found in (results, attacker.do("others.read_memory", pids=[1], address=at)):
        assert set(found) <= {"EPERM", "ENOENT", "EACCES", "ESRCH", "\0" * 64}


@case("write-memory")
def test_memory_of_others_cannot_be_written(victim: Victim, attacker: Function) -> None:
    """The victim's memory, and init's, is unchanged."""
    box = attacker.box()
    at = writable_address(box.init)
    with open(f"/proc/{box.init}/mem", "rb") as memory:
        memory.seek(at)
        before = memory.read(40)
        attacker.do("others.write_memory", pids=[1], address=at)
        attacker.do("others.write_memory", pids=victim.pids, address=victim.address)
        memory.seek(at)
        assert memory.read(40) == before
    victim.assert_untouched()


def writable_address(pid: int) -> int:
    """An address in a process that could be overwritten."""
    mapped = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return int(next(line for line in mapped if "rw-p" in line).split("-")[0], 16)


@case("ptrace-others", "ptrace-sibling", "ptrace-init")
def test_no_other_process_is_traced(victim: Victim, attacker: Function) -> None:
    """Neither others nor init, a child or the process itself: no process has a tracer."""
    results = attacker.do("others.trace", pids=victim.pids)
    assert "done" not in results
    pids = attacker.box().pids()
    assert len(pids) >= 4
    assert {host.status_of(pid)["TracerPid"] for pid in pids} == {"0"}
    victim.assert_untouched()


@case("pidfd-getfd")
def test_descriptors_of_others_cannot_be_taken(victim: Victim, attacker: Function) -> None:
    """The number of descriptors is the same before and after."""
    attacker.do("attempts.here")
    pid = attacker.box().functions()[0]
    before = len(os.listdir(f"/proc/{pid}/fd"))
    results = attacker.do("others.take_descriptors", pids=victim.pids)
    assert "done" not in results
    assert len(os.listdir(f"/proc/{pid}/fd")) == before + 1  # The pipe to its child.
    victim.assert_untouched()


@case("signal-host")
def test_numbers_of_the_host_cannot_be_signalled(
    victim: Victim, attacker: Function, neighbour: Neighbour
) -> None:
    """Platform, launcher, zygotes and other boxes, by their pids on the host."""
    results = attacker.do("others.signal_host", pids=[*victim.pids, *neighbour.box.pids()])
    assert "done" not in results
    victim.assert_untouched()


@case("signal-init")
def test_init_cannot_be_signalled(victim: Victim, attacker: Function) -> None:
    """Init is the same process in the same state after 63 signals."""
    before = attacker.box()
    init = host.alive([before.init])
    attacker.do("others.signal_init")
    after = attacker.box()
    assert host.alive([after.init]) == init
    assert host.status_of(after.init)["State"][0] == "S"
    assert before.namespace == after.namespace


@case("signal-parent")
def test_the_parent_has_no_rights(victim: Victim, attacker: Function) -> None:
    """The launcher is the parent on the host; inside it has no pid to send a signal to."""
    parent, _ = attacker.do("others.signal_parent")
    assert parent == 0
    assert host.status_of(attacker.box().functions()[0])["PPid"] == str(victim.platform[1])
    victim.assert_untouched()


@case("signal-everything")
def test_kill_everything_kills_one_box(victim: Victim, attacker: Function) -> None:
    """Only the attacker's own processes end; its next call starts again."""
    box = attacker.box()
    payload, answer = attacker.try_to("others.signal_everything")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    box.wait_gone()
    victim.assert_untouched()
    assert attacker.do("attempts.echo", value=1) == 1


@case("sockets-of-others", "shared-memory-of-others")
def test_sockets_and_shared_memory_are_a_boxes_own(victim: Victim, attacker: Function) -> None:
    """Abstract, named and TCP sockets and System V memory of another box and of the host."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind("\0host-of-hostile")
        listener.listen()
        listener.setblocking(False)
        shared, *reached, tables, files = attacker.do("others.find_others")
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert shared == -1
    assert "done" not in reached
    assert not {"victim", "secret"} & set(files)
    assert "victim" not in tables
    assert "host-of-hostile" not in tables
    # Its request reached no one: the victim's listeners have no connection waiting.
    unix = Path(f"/proc/{victim.box.functions()[0]}/net/unix").read_text()
    assert unix.count("victim") == 2
    victim.assert_untouched()


@case("core-dump")
def test_a_crash_leaves_nothing_on_the_host(attacker: Function) -> None:
    """No core file, and no program of the host receives a dump: a limit of 1 stops the pipe as
    well."""
    status = attacker.do("others.crash")
    assert os.WTERMSIG(status) == signal.SIGSEGV
    assert not os.WCOREDUMP(status)
    box = attacker.box()
    assert not glob.glob(str(box.inside("/tmp/core*")))
    for pid in box.functions():
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        core = next(line.split()[4:6] for line in limits if line.startswith("Max core"))
        assert core == ["1", "1"]


@case("timeout-kills", "deletion-kills")
@pytest.mark.parametrize("end", ["timeout", "deletion"])
def test_survivors(start: StartFunction, mode: str, end: str, neighbour: Neighbour) -> None:
    """Daemons that left their session, ignore signals and closed everything end with the box."""
    function = start(mode, Timeout=1 if end == "timeout" else 15)
    function.do("daemons.leave", count=5)
    box = function.box()
    pids = box.functions()
    assert len(pids) >= 6
    if end == "timeout":
        payload, _ = function.try_to("others.wait_for_word")
        assert payload["errorType"] == "Sandbox.Timedout"
    else:
        function.delete()
    box.wait_gone()
    wait_for(lambda: not any(map(host.started_at, pids)), "the end of every daemon")
    if end == "timeout":
        assert function.do("attempts.echo", value=2) == 2
    assert neighbour.box.pids()
