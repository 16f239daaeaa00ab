"""From the exact error of a step that was tried to what cures it."""

from lambent.sandbox.tiers import NEWER_KERNEL, UNKNOWN_CALL
from lambent.upkeep.doctor.control_groups import examine_control_groups
from lambent.upkeep.doctor.host import HostFacts, sysctl_fix
from lambent.upkeep.doctor.policies import apparmor_cure, restricts_user_namespaces
from lambent.upkeep.doctor.privileges import is_in_user_namespace
from lambent.upkeep.doctor.system import container

_DENIED = ("Operation not permitted", "Permission denied")
_TOO_MANY = "No space left on device"


def cure_of(host: HostFacts, step: str, error: str) -> str:
    """What to do about a step's error. Pure but for what the host's files say."""
    if "/var/task: Permission denied" in error or "without mounts" in error:
        return (
            "without mounts functions reach their code by its path: let everybody enter each"
            " directory above the data directory (chmod o+x), or name another with --data-dir"
        )
    if "on /: Invalid argument" in error and container(host) == "":
        return "in a chroot: mount --bind ROOT ROOT before chroot ROOT"
    if any(word in error for word in _DENIED):
        return _cure_of_denial(host)
    if UNKNOWN_CALL in error:
        return NEWER_KERNEL
    if _TOO_MANY in error and ("namespace" in error or "box" in step):
        return (
            sysctl_fix("user.max_user_namespaces", 15_000)
            + "; the same for user.max_net_namespaces and others"
        )
    if "no directory of ours" in error:
        return "remove it, or name another directory with --data-dir"
    if "Too many open files" in error:
        return "raise the limit: ulimit -n 65536, or LimitNOFILE=65536 in the unit"
    if step == "memory limit":
        fixes = [check.fix for check in examine_control_groups(host) if check.fix]
        return fixes[0] if fixes else "report it, with what doctor prints"
    if "does not exist" in error or "No such file" in error:
        return "a base system with /bin/sh, /usr/bin/env and /usr/bin/cat of coreutils is needed"
    return "report it, with what `lambent doctor --json` prints"


def _cure_of_denial(host: HostFacts) -> str:
    if host.is_root and is_in_user_namespace(host):
        return (
            "this root is one of a user namespace, not the host's: run lambent outside of it, as"
            " the host's root (sudo lambent up) or as an ordinary user"
        )
    if not host.is_root and restricts_user_namespaces(host):
        return apparmor_cure(host)
    if host.read("/sys/fs/selinux/enforce") == "1":
        return (
            "sudo ausearch -m avc -ts recent says what SELinux has refused; in a container:"
            " --security-opt label=disable"
        )
    kind = container(host)
    if kind in ("Docker", "Podman"):
        return f"{kind.lower()} run --privileged IMAGE"
    if kind == "Kubernetes":
        return "securityContext: {privileged: true} for the container"
    if kind == "LXC":
        return "lxc config set NAME security.nesting true; lxc restart NAME"
    if kind == "systemd-nspawn":
        return "systemd-nspawn --private-users=no --capability=all -D DIRECTORY"
    if not host.is_root:
        return "run as root: sudo lambent up"
    profile = host.read("/proc/self/attr/apparmor/current") or host.read("/proc/self/attr/current")
    if profile and "unconfined" not in profile:
        return f"let the AppArmor profile {profile} allow mounts, or start it unconfined"
    return "report it, with what `lambent doctor --json` prints"
