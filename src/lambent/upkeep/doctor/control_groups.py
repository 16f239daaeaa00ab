"""Control groups: which trees are mounted, and who has delegated what to whom."""

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from lambent.upkeep.doctor import systemd
from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.host import HostFacts, MountEntry
from lambent.upkeep.doctor.system import container

_LIMITS = ("memory", "cpu", "pids")
_DELEGATE = (
    "sudo mkdir -p /etc/systemd/system/user@.service.d; printf '[Service]\\nDelegate=cpu memory"
    " pids\\n' | sudo tee /etc/systemd/system/user@.service.d/lambent.conf; sudo systemctl"
    " daemon-reload; sudo systemctl restart user@$(id -u).service"
)


def layout(host: HostFacts) -> str:
    """`v2`, `hybrid`, `v1` or `none`."""
    kinds = {mount.kind for mount in host.mounts() if mount.kind in ("cgroup", "cgroup2")}
    if kinds == {"cgroup2"}:
        return "v2"
    return {0: "none", 1: "v1", 2: "hybrid"}[len(kinds)]


def examine_control_groups(host: HostFacts) -> Iterator[Check]:
    """Layout, controllers and delegation."""
    kind = layout(host)
    if kind == "none":
        yield Check(
            name="cgroup layout", state="missing", found="no tree is mounted",
            fix="sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        )  # fmt: skip
        return
    yield Check(name="cgroup layout", found=kind)
    if off := [name for name in _LIMITS if name in _disabled(host)]:
        yield Check(
            name="cgroup controllers", state="missing",
            found=f"the kernel was started without {', '.join(off)}",
            fix="add to the kernel's command line and restart: "
            + " ".join(f"cgroup_enable={name}" for name in off)
            + " (Raspberry Pi: in /boot/firmware/cmdline.txt, on its one line)",
        )  # fmt: skip
    if kind in ("v1", "hybrid"):
        yield _legacy(host)
    for mount in host.mounts():
        if mount.kind == "cgroup2":
            yield from _unified(host, mount, has_limits=kind == "v2")
            break
    if kind == "v2" and not host.is_root and systemd.is_running(host):
        yield _user_service(host)


def _disabled(host: HostFacts) -> set[str]:
    """Controllers that the kernel has and does not use."""
    rows = [line.split() for line in host.read("/proc/cgroups").splitlines()]
    return {row[0] for row in rows if len(row) == 4 and row[3] == "0"}


def _legacy(host: HostFacts) -> Check:
    """The limits of v1."""
    found: list[str] = []
    denied: list[str] = []
    absent: list[str] = []
    for name in (*_LIMITS, "freezer"):
        mount = next(
            (mount for mount in host.mounts() if mount.kind == "cgroup" and name in mount.options),
            None,
        )
        if mount is None:
            absent.append(name)
            continue
        group = str(host.path(_directory(mount, _own_group(host, name))))
        (found if os.access(group, os.W_OK) else denied).append(name)
    text = f"v1: {', '.join(found) or 'none'} writable"
    text += f"; not writable: {', '.join(denied)}" if denied else ""
    text += f"; not mounted: {', '.join(absent)}" if absent else ""
    if not {*_LIMITS} & {*denied, *absent}:
        return Check(name="cgroup v1", found=text)
    return Check(name="cgroup v1", state="missing", found=text, fix=_writable_fix(host))


def _unified(host: HostFacts, mount: MountEntry, *, has_limits: bool) -> Iterator[Check]:
    """What the v2 tree gives, from its top to our own group."""
    top, own = mount.point, _directory(mount, _own_group(host, ""))
    here = host.read(f"{own}/cgroup.controllers").split()
    text = f"at {top}: {' '.join(host.read(f'{top}/cgroup.controllers').split()) or 'none'}"
    text += f"; handed down: {host.read(f'{top}/cgroup.subtree_control') or 'none'}"
    text += ", nsdelegate" if "nsdelegate" in mount.options else ""
    yield Check(name="cgroup v2", found=text)
    path, owner = host.path(own), "nobody"
    if path.exists():
        owner = f"user {path.stat().st_uid}"
    is_ours = os.access(path, os.W_OK) and "ro" not in mount.options
    text = f"{own}: controllers {' '.join(here) or 'none'}, of {owner}"
    text += ", writable" if is_ours else ", not writable"
    lacking = [name for name in _LIMITS if name not in here] if has_limits else []
    top_lacking = [
        name for name in lacking if name not in host.read(f"{top}/cgroup.controllers").split()
    ]
    # From the top of the tree root reaches everything.
    has_top = host.is_root and not top_lacking and os.access(host.path(top), os.W_OK)
    if (is_ours and not lacking) or (has_top and "ro" not in mount.options):
        yield Check(name="own cgroup", found=text)
        return
    # Elsewhere the launcher asks the user's systemd for a scope: see `delegation`.
    is_lack = has_limits and (host.is_root or not systemd.is_running(host))
    yield Check(
        name="own cgroup",
        state="missing" if is_lack else "ok",
        found=text + (f"; lacks {' '.join(lacking)}" if lacking else ""),
        fix=_writable_fix(host) if is_lack else "",
    )


def _writable_fix(host: HostFacts) -> str:
    kind = container(host)
    if kind in ("Docker", "Podman"):
        return f"{kind.lower()} run --privileged --cgroupns=private IMAGE"
    if kind == "Kubernetes":
        return "securityContext: {privileged: true} for the container"
    if kind == "LXC":
        return "lxc config set NAME security.nesting true; lxc restart NAME"
    if not host.is_root:
        return "run as root (sudo lambent up), or with systemd and cgroup v2"
    return "mount the controllers memory, cpu and pids where root may write to them"


def _user_service(host: HostFacts) -> Check:
    """What systemd has handed to this user."""
    group = f"/user.slice/user-{host.uid}.slice/user@{host.uid}.service"
    mount = next(mount for mount in host.mounts() if mount.kind == "cgroup2")
    given = host.read(f"{_directory(mount, group)}/cgroup.controllers").split()
    lacking = [name for name in _LIMITS if name not in given]
    text = f"user@{host.uid}.service: {' '.join(given) or 'nothing'}"
    if lacking:
        text += f"; lacks {' '.join(lacking)}"
        return Check(name="delegation", state="missing", found=text, fix=_DELEGATE)
    return Check(name="delegation", found=text)


def _own_group(host: HostFacts, controller: str) -> str:
    """This process's group in the tree of a controller; the v2 tree's name is empty."""
    for line in host.read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def _directory(mount: MountEntry, group: str) -> str:
    """Where a group is under a mount that shows the tree from its root down."""
    if mount.root != "/" and group.startswith(mount.root):
        group = group[len(mount.root) :]
    return str(PurePosixPath(mount.point) / group.strip("/"))
