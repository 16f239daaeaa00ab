"""What the host forbids: security modules, and the kernel's settings for namespaces and tracing."""

from collections.abc import Iterator

from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.host import HostFacts, sysctl_fix

_NAMESPACES = ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup")
_FEW_NAMESPACES = 1000
"""Each environment takes one of each kind."""


def examine_policies(host: HostFacts) -> Iterator[Check]:
    """Everything that may refuse a call."""
    yield from _user_namespaces(host)
    yield _namespace_counts(host)
    yield _apparmor(host)
    yield _selinux(host)
    yield _yama(host)


def restricts_user_namespaces(host: HostFacts) -> bool:
    """Whether AppArmor takes the capabilities of unprivileged user namespaces, as on Ubuntu from
    23.10 on: the namespace is made, and nothing can be done in it."""
    return host.sysctl("kernel.apparmor_restrict_unprivileged_userns") == "1"


def apparmor_cure(host: HostFacts) -> str:
    """The commands that let lambent's interpreter, and no other program, use user namespaces."""
    return (
        "sudo tee /etc/apparmor.d/lambent >/dev/null <<'END'\n"
        "abi <abi/4.0>,\n"
        "include <tunables/global>\n"
        f'profile lambent "{host.interpreter}" flags=(unconfined) {{\n'
        "  userns,\n"
        "  include if exists <local/lambent>\n"
        "}\n"
        "END\n"
        "sudo apparmor_parser -r /etc/apparmor.d/lambent\n"
        "# This is for every program of that interpreter: a virtual environment made with"
        " `python3 -m venv --copies` has one of its own.\n"
        "# Weaker, for every program of the host: "
        + sysctl_fix("kernel.apparmor_restrict_unprivileged_userns", 0)
    )


def _user_namespaces(host: HostFacts) -> Iterator[Check]:
    name = "user namespaces"
    if not host.is_root and restricts_user_namespaces(host):
        profile = host.read("/proc/self/attr/current") or "unconfined"
        if profile.startswith("lambent"):
            yield Check(name=name, found="allowed by the AppArmor profile `lambent`")
            return
        yield Check(
            name=name,
            state="missing",
            found="AppArmor gives unprivileged ones no capabilities"
            " (kernel.apparmor_restrict_unprivileged_userns = 1)",
            fix=apparmor_cure(host),
        )
    elif host.sysctl("kernel.unprivileged_userns_clone") == "0" and not host.is_root:
        yield Check(
            name=name, state="missing",
            found="only for root (kernel.unprivileged_userns_clone = 0)",
            fix=sysctl_fix("kernel.unprivileged_userns_clone", 1),
        )  # fmt: skip
    elif not host.has("/proc/self/ns/user"):
        yield Check(
            name=name, state="broken", found="this kernel has none",
            fix="use a kernel built with CONFIG_USER_NS=y",
        )  # fmt: skip
    else:
        yield Check(name=name, found="no rule forbids them")


def _namespace_counts(host: HostFacts) -> Check:
    """How many of each kind a user may have."""
    limits = {
        kind: int(text)
        for kind in _NAMESPACES
        if (text := host.sysctl(f"user.max_{kind}_namespaces")).isdigit()
    }
    few = {kind: most for kind, most in limits.items() if most < _FEW_NAMESPACES}
    if not few:
        least = min(limits.values(), default=0)
        return Check(name="namespaces", found=f"{least:,} of each kind" if least else "unlimited")
    return Check(
        name="namespaces",
        state="broken" if 0 in few.values() else "missing",
        found=", ".join(f"user.max_{kind}_namespaces = {most}" for kind, most in few.items()),
        fix="; ".join(sysctl_fix(f"user.max_{kind}_namespaces", 15_000) for kind in few),
    )


def _apparmor(host: HostFacts) -> Check:
    if host.read("/sys/module/apparmor/parameters/enabled") != "Y":
        return Check(name="AppArmor", found="off")
    profile = host.read("/proc/self/attr/apparmor/current") or host.read("/proc/self/attr/current")
    return Check(name="AppArmor", found=f"on, this process is {profile or 'unconfined'}")


def _selinux(host: HostFacts) -> Check:
    if not host.has("/sys/fs/selinux/enforce"):
        return Check(name="SELinux", found="off")
    mode = "enforcing" if host.read("/sys/fs/selinux/enforce") == "1" else "permissive"
    context = host.read("/proc/self/attr/current") or "unknown"
    return Check(name="SELinux", found=f"{mode}, this process is {context}")


def _yama(host: HostFacts) -> Check:
    scope = host.sysctl("kernel.yama.ptrace_scope")
    if scope != "3":
        return Check(name="Yama", found=f"ptrace_scope = {scope}" if scope else "off")
    return Check(
        name="Yama",
        state="missing",
        found="ptrace_scope = 3: no process may be traced, so SnapStart starts functions again",
        fix="echo 'kernel.yama.ptrace_scope = 1' | sudo tee -a /etc/sysctl.d/60-lambent.conf, and"
        " restart the machine: 3 cannot be taken back",
    )
