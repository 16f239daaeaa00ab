"""`lambent doctor` tries a box on this host, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lambent.upkeep.doctor import place as place_of
from lambent.upkeep.doctor import residue
from tests import forking

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]
STEPS = {
    "launcher", "disk for /tmp", "box", "program", "isolation", "network", "freeze", "thaw",
    "signal", "memory limit", "CPU limit", "kill", "nothing left",
}  # fmt: skip


def command(data_dir: Path, *settings: str) -> list[str]:
    words = [sys.executable, "-m", "lambent", "doctor", "--json", "--data-dir", str(data_dir)]
    for setting in settings:
        words += ["--set", setting]
    return words


def run_doctor(words: Sequence[str]) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Exit code, report, and the trials by name."""
    if words[0] == sys.executable:
        done = forking.run([*words], timeout=100)
    else:
        done = subprocess.run(words, capture_output=True, text=True, timeout=100)
    report = json.loads(done.stdout)
    tried = {
        check["name"].removeprefix("try: "): check
        for check in report["checks"]
        if check["section"] == "trial"
    }
    return done.returncode, report, tried


def expect_nothing(place: Path) -> None:
    directory = place_of.directory_in(place)
    residue.expect_nothing(place_of.instance(directory), directory)
    assert list(place.iterdir()) == []


def test_a_box_is_tried(tmp_path: Path) -> None:
    """Built by the real launcher, used in all the ways of a function's box, limited and killed."""
    code, report, tried = run_doctor(command(tmp_path))
    assert (code, report["tier"]) == (0, "root"), report["summary"]
    assert tried.keys() >= STEPS
    assert {check["state"] for check in tried.values()} == {"ok"}
    assert tried["memory limit"]["found"] == "64 MB: killed beyond, and reported"
    assert all(check["ms"] >= 0 for check in tried.values())
    expect_nothing(tmp_path)


def test_a_container_that_has_no_loop_devices_yet(tmp_path: Path) -> None:
    """A privileged container's /dev has the loop devices of its start: the kernel makes others
    later, which are created there when they are needed. /tmp of functions is on disk."""
    cover = "set -e; stat=$(stat -c '%Hr %Lr' /dev/loop-control); mount -t tmpfs dev /dev;"
    cover += " mknod /dev/loop-control c $stat; mknod /dev/null c 1 3; mknod /dev/zero c 1 5;"
    cover += " mknod /dev/full c 1 7; mknod /dev/random c 1 8; mknod /dev/urandom c 1 9;"
    cover += " mknod /dev/tty c 5 0; mkdir /dev/shm;"
    contained = ["unshare", "--mount", "--", "sh", "-c", f'{cover} exec "$@"', "sh"]
    code, report, tried = run_doctor([*contained, *command(tmp_path)])
    assert (code, report["tier"]) == (0, "root"), report["summary"]
    assert "words of the launcher" not in tried, tried["words of the launcher"]["found"]
    expect_nothing(tmp_path)


def test_an_ordinary_user_tries_one_too(tmp_path: Path) -> None:
    """In the tier that the user's `lambent up` would choose."""
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    code, report, tried = run_doctor([*as_user, *command(tmp_path)])
    assert (code, report["tier"]) == (0, "rootless"), report["summary"]
    assert tried.keys() >= STEPS
    assert {check["state"] for check in tried.values()} == {"ok"}
    assert report["summary"].startswith("Isolation is rootless")
    expect_nothing(tmp_path)


def test_a_root_of_its_own(tmp_path: Path) -> None:
    """Root of a user namespace without other users (`unshare -r`) counts as an ordinary user."""
    as_root = ["unshare", "--user", "--map-root-user", "--"]
    code, report, tried = run_doctor([*as_root, *command(tmp_path)])
    assert (code, report["tier"]) == (0, "rootless"), report["summary"]
    assert {check["state"] for check in tried.values()} == {"ok"}
    expect_nothing(tmp_path)


def test_a_root_that_can_start_nothing(tmp_path: Path) -> None:
    """As in a rootless container, in a tier it does not have: doctor reports broken, and why,
    either when it examines the host or at the latest when it tries."""
    as_root = ["unshare", "--user", "--map-root-user", "--"]
    words = command(tmp_path, "sandbox.isolation=root-no-cgroups")
    code, report, _ = run_doctor([*as_root, *words])
    assert (code, report["state"]) == (1, "broken")
    broken = [check for check in report["checks"] if check["state"] == "broken"]
    assert "not permitted" in broken[0]["found"] or "cannot give isolation" in broken[0]["found"]
    assert all(check["fix"] for check in broken)
    assert report["summary"].startswith("Lambent cannot run functions here")
    names = {check["name"] for check in report["checks"]}
    assert "user namespace" in names
    expect_nothing(tmp_path)


def test_a_root_that_may_not_mount(open_place: Path) -> None:
    """As in an ordinary container: the weaker tier that `lambent up` uses there works, including
    how it drops root, and the missing capabilities are named."""
    less = ["setpriv", "--bounding-set=-sys_admin,-net_admin", "--inh-caps=-all", "--"]
    code, report, tried = run_doctor([*less, *command(open_place)])
    assert (code, report["tier"] in ("rootless", "process")) == (0, True), report["summary"]
    assert tried["giving up root"]["state"] == "ok"
    (check,) = (check for check in report["checks"] if check["name"] == "capabilities")
    assert "CAP_SYS_ADMIN" in check["found"]
    expect_nothing(open_place)


def test_a_doctor_that_is_killed(tmp_path: Path) -> None:
    """It leaves something that the next run removes."""
    with subprocess.Popen(command(tmp_path), stdout=subprocess.DEVNULL) as doctor:
        deadline = time.monotonic() + 60
        while not (place_of.directory_in(tmp_path) / "volumes").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)  # noqa: TID251 - another process's work
        os.kill(doctor.pid, signal.SIGKILL)
    code, report, _ = run_doctor(command(tmp_path))
    assert code == 0, report["summary"]
    expect_nothing(tmp_path)


@pytest.mark.parametrize("kind", ["link", "directory", "file"])
def test_a_place_with_leftovers(tmp_path: Path, kind: str) -> None:
    """In a directory that every user may write to, files of other users are not touched, nor what
    they link to."""
    theirs = tmp_path / "theirs"
    (theirs / "volumes").mkdir(parents=True)
    (theirs / "volumes/kept").write_text("kept")
    place = tmp_path / "place"
    place.mkdir(mode=0o1777)
    directory = place_of.directory_in(place)
    if kind == "link":
        directory.symlink_to(theirs)
    elif kind == "file":
        directory.write_text("")
    else:
        theirs.rename(directory)
        theirs = directory
        os.chown(directory, 12_345, 12_345)
    code, report, tried = run_doctor(command(place))
    assert (code, report["state"]) == (1, "broken")
    assert tried.keys() == {"directory"}
    assert tried["directory"]["found"] == f"{directory} is no directory of ours: remove it"
    assert (theirs / "volumes/kept").read_text() == "kept"
    assert list(theirs.iterdir()) == [theirs / "volumes"]


def test_two_doctors_at_once(tmp_path: Path) -> None:
    """They take turns on one disk, and neither finds data of the other."""
    both = [subprocess.Popen(command(tmp_path), stdout=subprocess.PIPE) for _ in range(2)]
    for doctor in both:
        output, _ = doctor.communicate(timeout=100)
        assert (doctor.returncode, json.loads(output)["tier"]) == (0, "root"), output
    expect_nothing(tmp_path)


def test_a_start_that_fails(tmp_path: Path) -> None:
    """`lambent up` says why in one sentence, and refers to doctor, which knows the fix."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    as_root = ["unshare", "--user", "--map-root-user", "--", "sh", "-c", forbid, "sh"]
    up = [sys.executable, "-m", "lambent", "up", "--port", "0"]
    up += ["--data-dir", str(tmp_path / "data"), "--set", "sandbox.isolation=rootless"]
    done = subprocess.run([*as_root, *up], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    error = done.stderr.strip().rpartition("\n")[2]
    assert error.startswith("lambent: cannot give ")
    assert error.endswith("`lambent doctor` tries it step by step and names the cure")
    words = command(tmp_path / "none", "sandbox.isolation=rootless")
    code, report, _ = run_doctor([*as_root, *words])
    assert code == 1
    checks = {f"{check['section']}/{check['name']}": check for check in report["checks"]}
    limit = checks["rights/namespaces"]
    assert (limit["state"], limit["found"]) == ("broken", "user.max_user_namespaces = 0")
    assert "sysctl -w user.max_user_namespaces=" in limit["fix"]
