"""What a process has to be before it is released."""

import os
import subprocess
from pathlib import Path

import pytest

from lambent.sandbox.launcher import identity
from tests.platforms import wait_for


def test_what_has_changed_is_named_and_not_shown() -> None:
    """Any part of it, something that is missing included."""
    before = identity.read_identity(os.getpid())
    identity.check_unchanged(before, identity.read_identity(os.getpid()))
    assert {"its Uid", "its CapEff", "its Seccomp_filters", "its user namespace"} <= before.keys()
    for name in before:
        for after in ({**before, name: "secret"}, {n: v for n, v in before.items() if n != name}):
            with pytest.raises(OSError, match=f"{name} is not what it was") as raised:
                identity.check_unchanged(before, after)
            assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("its CapEff", "000001ffffffffff"),
        ("its CapBnd", "0000000000000001"),
        ("its NoNewPrivs", "0"),
        ("its Seccomp", "0"),
        ("its Threads", "2"),
        ("its TracerPid", "0"),
        ("its Uid", "7\t7\t0\t7"),
        ("its Gid", "0\t0\t0\t0"),
        ("its Groups", "4"),
    ],
)
def test_what_a_process_in_a_box_is(name: str, value: str) -> None:
    """Its own user, with a filter and no capability, held by us."""
    good = {
        f"its {field}": "0" * 16 for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    }
    good |= {"its NoNewPrivs": "1", "its Seccomp": "2", "its Threads": "1", "its Groups": ""}
    good |= {"its TracerPid": str(os.getpid()), "its Uid": "7\t7\t7\t7", "its Gid": "7\t7\t7\t7"}
    identity.check_confined(dict(good), 7)
    with pytest.raises(OSError, match=f"{name} is not what it has to be"):
        identity.check_confined({**good, name: value}, 7)


def _sleeps(pid: int) -> bool:
    """A program opens its libraries before."""
    return Path(f"/proc/{pid}/stat").read_text().startswith(f"{pid} (sleep) S")


def test_places_and_descriptors() -> None:
    """A directory of its root, and exactly these descriptors."""
    with subprocess.Popen(["sleep", "60"], cwd="/usr", stdin=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: _sleeps(process.pid), "a program that has been loaded")
            identity.check_place(process.pid, "/usr")
            identity.check_released(process.pid)
            with pytest.raises(OSError, match="not in /etc"):
                identity.check_place(process.pid, "/etc")
            numbers = [int(name) for name in os.listdir(f"/proc/{process.pid}/fd")]
            identity.check_descriptors(process.pid, numbers)
            for wrong in ([*numbers, 99], numbers[1:]):
                with pytest.raises(OSError, match="descriptors"):
                    identity.check_descriptors(process.pid, wrong)
        finally:
            process.kill()
