"""Where boxes get their groups in the kernel's own v2 tree: in a delegated group, in a scope, and
where the tree keeps processes within their cgroup namespaces (`nsdelegate`)."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lambent.sandbox.launcher import linux
from tests.isolation.boxes import IS_SYSTEMD, REPOSITORY, cgroups_of, until
from tests.platforms import Platform, deploy, invoke, wait_for

pytestmark = [
    pytest.mark.root,
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes cgroups"),
]

PLATFORM = """
import json, os, sys
from pathlib import Path
work, instance, group, user, then, path = json.loads(sys.argv[1])
if group:
    (Path(group) / "cgroup.procs").write_text("0")
import anyio
from lambent.sandbox import scopes, tiers
from tests.platforms import Platform, deploy, invoke, wait_for
from tests.isolation.boxes import descendants, start_site
if path:
    # A host whose tree is systemd's.
    os.environ["PATH"] = path + ":" + os.environ["PATH"]
    scopes.are_needed = lambda: True
    scopes.limits = lambda: (("memory",), "")
if user:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
def group_of(pid):
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line[3:] for line in lines if line.startswith("0::"))
async def main(site):
    async with site.open() as opened, opened.box() as inside:
        program = await inside.start('tell("go"); time.sleep(60)')
        await program.line()
        pids = descendants(site.launcher_pid)
        print(json.dumps({
            "platform": group_of("self"),
            "launcher": group_of(site.launcher_pid),
            "boxes": sorted({
                group_of(pid).rpartition("/")[0] for pid in pids
                if group_of(pid).rpartition("/")[2] not in ("launcher", "platform")
            }),
            "pid": site.launcher_pid,
            "memory": inside.box.memory_peak_bytes(),
            "limits": list(site.handle.limits),
            "own_limit": await inside.run("tell(resource.getrlimit(resource.RLIMIT_DATA)[0])"),
        }), flush=True)
        if then == "wait":
            sys.stdin.readline()
        if then == "freeze":
            inside.box.freeze()
            await anyio.sleep(60)
        program.close()
with start_site(Path(work), instance=instance, tier="rootless" if user else "root") as site:
    anyio.run(main, site, backend_options={"use_uvloop": True})
"""
SYSTEMD_RUN = """#!{python} -IS
# What systemd does for `systemd-run --scope`.
import os, sys
unit = next(word[7:] for word in sys.argv if word.startswith("--unit="))
assert {{"--scope", "--property=Delegate=memory cpu pids"}} <= {{*sys.argv}}
scope = "{slice}/" + unit + ".scope"
os.mkdir(scope)
with open(scope + "/cgroup.procs", "w") as file:
    file.write("0")
command = sys.argv[sys.argv.index("--") + 1:]
os.execv(command[0], command)
"""


def v2_mount() -> tuple[Path, set[str]]:
    """Where the v2 tree is mounted, and how."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind == "cgroup2":
            return Path(fields.split(" ")[4]), set(options.split(","))
    pytest.skip("needs a v2 tree")


@contextmanager
def group(name: str) -> Iterator[Path]:
    """A group for a single test."""
    made = v2_mount()[0] / name
    made.mkdir()
    try:
        yield made
    finally:
        (made / "cgroup.kill").write_text("1")
        poll = select.poll()
        with (made / "cgroup.events").open() as events:
            poll.register(events, select.POLLPRI)
            while "populated 1" in os.pread(events.fileno(), 200, 0).decode():
                assert poll.poll(10_000), "a process does not end"
        for directory, _, _ in os.walk(made, topdown=False):
            os.rmdir(directory)


@contextmanager
def kept_in_namespaces() -> Iterator[None]:
    """The v2 tree as systemd mounts it. The option applies to the tree, wherever it is mounted."""
    mount, options = v2_mount()
    if "nsdelegate" in options:
        yield
        return
    linux.mount("", str(mount), "cgroup2", linux.MS_REMOUNT, "nsdelegate")
    try:
        if "nsdelegate" not in v2_mount()[1]:
            pytest.skip("this is in a cgroup namespace, which may not change the tree")
        yield
    finally:
        linux.mount("", str(mount), "cgroup2", linux.MS_REMOUNT, "")
        assert v2_mount()[1] == options


def start(
    work: Path,
    instance: str,
    inside: Path | None = None,
    *,
    user: int = 0,
    then: str = "end",
    path: Path | None = None,
) -> "subprocess.Popen[str]":
    """A platform with one box, which reports where each process is."""
    arguments = json.dumps([str(work), instance, str(inside or ""), user, then, str(path or "")])
    return subprocess.Popen(
        [sys.executable, "-c", PLATFORM, arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )


def where(platform: "subprocess.Popen[str]") -> dict[str, Any]:
    """The report of a platform."""
    assert platform.stdout is not None
    line = platform.stdout.readline()
    assert line, f"the platform ended: {platform.wait(20)}"
    return dict(json.loads(line))


def own_group(found: dict[str, Any], instance: str) -> str:
    """The group that a platform made for its launcher; a scope where systemd manages the tree."""
    group, _, leaf = found["launcher"].rpartition("/")
    assert leaf == "launcher"
    made_here = f"/lambent-{instance}"
    made_by_systemd = re.escape(f"/system.slice/lambent-{instance}-") + r"[0-9a-f]{8}\.scope"
    assert group == made_here or (IS_SYSTEMD and re.fullmatch(made_by_systemd, group)), group
    return str(group)


def end(platform: "subprocess.Popen[str]") -> None:
    platform.communicate("go on\n", timeout=30)
    assert platform.returncode == 0


def test_processes_that_may_not_leave_their_cgroup_namespace(tmp_path: Path) -> None:
    """Boxes start where the tree is mounted with `nsdelegate` and the platform is somewhere in it,
    and they leave nothing behind."""
    instance = uuid.uuid4().hex[:12]
    with group(f"test-{instance}") as made, kept_in_namespaces():
        platform = start(tmp_path, instance, made)
        found = where(platform)
        end(platform)
        assert found["platform"] == f"/test-{instance}"
        assert own_group(found, instance)
        assert found["boxes"] == [own_group(found, instance)]
        assert [*made.glob("*/")] == []
    assert cgroups_of(instance) == []


def test_unit_with_a_delegated_group(tmp_path: Path) -> None:
    """A service with `Delegate=yes` uses its own group: platform and launcher are in leaves of it,
    because a group with controllers has no processes. A second platform in it, whose group is not
    delegated, finds another place."""
    instance, other = uuid.uuid4().hex[:12], uuid.uuid4().hex[:12]
    with group(f"test-{instance}.service") as made, kept_in_namespaces():
        os.setxattr(made, "trusted.delegate", b"1")
        platform = start(tmp_path, instance, made, then="wait")
        found = where(platform)
        unit = f"/test-{instance}.service"
        assert found["platform"] == f"{unit}/platform"
        assert found["launcher"] == f"{unit}/launcher"
        assert found["boxes"] == [f"{unit}"]
        assert (made / "cgroup.procs").read_text() == ""
        work = tmp_path / "other"
        work.mkdir()
        second = start(work, other, made / "platform")
        assert own_group(where(second), other)
        end(second)
        end(platform)
    assert cgroups_of(instance) == cgroups_of(other) == []


def test_foreign_processes_in_a_delegated_group(tmp_path: Path) -> None:
    """A delegated group that other processes use as well is not taken: Lambent never moves
    processes of others."""
    instance = uuid.uuid4().hex[:12]
    with group(f"test-{instance}.service") as made:
        os.setxattr(made, "trusted.delegate", b"1")
        # Only the init's child.
        script = f"echo $$ > {made}/cgroup.procs; setsid --fork sleep 60"
        subprocess.run(["sh", "-c", script], check=True, timeout=10)
        sleeper = (made / "cgroup.procs").read_text()
        platform = start(tmp_path, instance, made)
        found = where(platform)
        end(platform)
        assert found["platform"] == f"/test-{instance}.service"
        assert own_group(found, instance)
        assert (made / "cgroup.procs").read_text() == sleeper


async def test_scopes_of_systemd(tmp_path: Path) -> None:
    """Where systemd manages the tree, the launcher is in a scope that it requested from systemd.
    When platform and launcher are killed, even with a frozen box, the next start ends what they
    left."""
    instance = uuid.uuid4().hex[:12]
    with group(f"test-{instance}.slice") as made, kept_in_namespaces():
        program = tmp_path / "systemd-run"
        program.write_text(SYSTEMD_RUN.format(python=sys.executable, slice=made))
        program.chmod(0o755)
        platform = start(tmp_path, instance, then="freeze", path=tmp_path)
        found = where(platform)
        scope = Path(found["launcher"]).parent
        assert scope.parent.name == made.name
        assert scope.match(f"lambent-{instance}-????????.scope")
        assert found["boxes"] == [f"{scope}"]
        assert "test-" not in found["platform"]
        platform.kill()
        os.kill(found["pid"], signal.SIGKILL)
        platform.communicate(timeout=10)

        left = made / scope.name
        second = start(tmp_path, instance, path=tmp_path)
        assert where(second)["boxes"] != found["boxes"]
        end(second)
        # systemd removes the scopes itself.
        assert {*left.glob("*/")} <= {left / "launcher"}
        await until(lambda: "populated 0" in (left / "cgroup.events").read_text(), "the end")


def test_ordinary_user_in_a_delegated_group() -> None:
    """A user without root has groups where systemd provides one, and knows the memory use with and
    without them."""
    instance, user = uuid.uuid4().hex[:12], 64532
    needed = [Path(sys.prefix), REPOSITORY]
    if any(
        not directory.stat().st_mode & 1 for path in needed for directory in (path, *path.parents)
    ):
        pytest.skip("another user does not reach this checkout")
    with tempfile.TemporaryDirectory() as made_here:
        work = Path(made_here)
        os.chown(work, user, user)
        found = _in_a_users_group(work, instance, user)
    scope = f"/test-{instance}.scope"
    assert found["boxes"] == [scope]
    assert found["platform"] == f"{scope}/platform"
    assert found["launcher"] == f"{scope}/launcher"
    assert found["memory"] > 1 << 20
    # Each process has the limits that the group does not apply.
    assert found["own_limit"] == (-1 if "memory" in found["limits"] else 512 << 20)


def _in_a_users_group(work: Path, instance: str, user: int) -> dict[str, Any]:
    with group(f"test-{instance}.scope") as made, kept_in_namespaces():
        for owned in (made, made / "cgroup.procs", made / "cgroup.subtree_control"):
            os.chown(owned, user, user)
        os.setxattr(made, "user.delegate", b"1")
        platform = start(work, instance, made, user=user)
        found = where(platform)
        end(platform)
        return found


def test_cells_in_a_delegated_group(tmp_path: Path) -> None:
    """Each cell of a unit has a group of its own there, with its launcher and its boxes; one that
    starts again has a new one, and the old one goes."""
    instance = uuid.uuid4().hex[:12]
    with group(f"test-{instance}.service") as made, kept_in_namespaces():
        os.setxattr(made, "trusted.delegate", b"1")
        inside = ["sh", "-c", f'echo 0 >{made}/cgroup.procs; exec "$@"', "sh"]
        platform = Platform(tmp_path / "data", "--cells", "2", prefix=inside)
        try:
            client = platform.client("lambda")
            deploy(client, "one", {"app.py": "def handler(event, context): return 1"})
            assert invoke(client, "one")[0] == 1
            first, second = (one_of(made, number) for number in (1, 2))
            for cell in (first, second):
                assert {leaf.name for leaf in cell.iterdir() if leaf.is_dir()} >= {
                    "launcher",
                    "platform",
                }
            wait_for(lambda: [*made.glob("cell-*/b*")], "there are boxes")
            assert (made / "supervisor" / "cgroup.procs").read_text().split() == [
                str(platform.process.pid)
            ]
            os.kill(int(second.name.rpartition("-")[2]), signal.SIGKILL)
            wait_for(lambda: {*made.glob("cell-2-*")} - {second}, "there is another cell")
            assert invoke(client, "one")[0] == 1
        finally:
            platform.stop()
        assert not [*made.glob("cell-*/b*")]


def one_of(made: Path, number: int) -> Path:
    """The group of a cell."""
    (found,) = made.glob(f"cell-{number}-*")
    return found
