"""Which machine this is: kind, distribution, kernel, processor."""

import re
from collections.abc import Iterator

from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.host import HostFacts

KERNEL_NEEDED = (5, 12)
"""`mount_setattr`, without which no box can be built."""
KERNEL_TESTED = (5, 15)
_MACHINES = ("x86_64", "aarch64")
_HYPERVISORS = {
    "QEMU": "QEMU",
    "KVM": "KVM",
    "Amazon EC2": "Amazon EC2",
    "Google": "Google Compute Engine",
    "Microsoft Corporation": "Hyper-V",
    "VMware": "VMware",
    "innotek GmbH": "VirtualBox",
    "Xen": "Xen",
    "Parallels": "Parallels",
    "Apple Virtualization": "Apple Virtualization",
    "DigitalOcean": "DigitalOcean",
    "Hetzner": "Hetzner",
}


def examine_system(host: HostFacts) -> Iterator[Check]:
    """What the machine is."""
    yield _machine(host)
    yield Check(name="distribution", found=distribution(host))
    yield _kernel(host)
    yield _processor(host)


def _machine(host: HostFacts) -> Check:
    kinds = kinds_of_machine(host)
    if "WSL1" in kinds:
        return Check(
            name="machine", state="broken", found="WSL1, which has no Linux kernel",
            fix="in Windows: wsl --set-version NAME 2",
        )  # fmt: skip
    return Check(name="machine", found=", ".join(kinds) or "no container, no VM")


def kinds_of_machine(host: HostFacts) -> list[str]:
    """Container, chroot and virtual machine, the innermost first."""
    kinds = [container(host), "chroot" if _is_chroot(host) else "", virtual_machine(host)]
    return [kind for kind in kinds if kind]


def container(host: HostFacts) -> str:
    """The kind of container this is, or nothing. WSL2 counts: its kernel is shared, too."""
    release = host.sysctl("kernel.osrelease")
    if "microsoft" in release.lower():
        return "WSL2" if "WSL2" in release or "microsoft-standard" in release else "WSL1"
    if host.read("/proc/version").startswith("Linux version 4.4.0 #1 SMP Sun Jan 10"):
        return "gVisor"
    if host.has("/run/.containerenv"):
        return "Podman"
    name = host.read("/run/systemd/container") or host.read("/run/host/container-manager")
    name = name or host.environment.get("container", "")
    if not name and (found := re.search(r"(?:^|\0)container=(\w+)", host.read("/proc/1/environ"))):
        name = found[1]
    if host.environment.get("KUBERNETES_SERVICE_HOST"):
        return "Kubernetes"
    if host.has("/.dockerenv") or name == "docker":
        return "Docker"
    if name:
        known = {"lxc": "LXC", "podman": "Podman", "systemd-nspawn": "systemd-nspawn"}
        return known.get(name, name)
    groups = host.read("/proc/1/cgroup")
    for word, kind in (("kubepods", "Kubernetes"), ("docker", "Docker"), ("libpod", "Podman")):
        if word in groups:
            return kind
    return "LXC" if "/lxc" in groups else ""


def virtual_machine(host: HostFacts) -> str:
    """The kind of virtual machine, or nothing."""
    vendor = host.read("/sys/class/dmi/id/sys_vendor")
    product = host.read("/sys/class/dmi/id/product_name")
    for word, kind in _HYPERVISORS.items():
        if word in vendor or word in product:
            return f"virtual machine ({kind})"
    if (kind := host.read("/sys/hypervisor/type")) and kind != "none":
        return f"virtual machine ({kind})"
    if "dummy-virt" in host.read("/proc/device-tree/compatible"):
        return "virtual machine (QEMU)"
    flags = re.search(r"^flags\s*:(.*)$", host.read("/proc/cpuinfo"), re.MULTILINE)
    return "virtual machine" if flags and " hypervisor" in flags[1] else ""


def distribution(host: HostFacts) -> str:
    """Its name with version."""
    for file in ("/etc/os-release", "/usr/lib/os-release"):
        found = re.search(r'^PRETTY_NAME="?([^"\n]*)', host.read(file), re.MULTILINE)
        if found:
            return found[1]
    return "unknown"


def kernel_version(host: HostFacts) -> tuple[int, int]:
    """Major and minor, or zeros."""
    found = re.match(r"(\d+)\.(\d+)", host.sysctl("kernel.osrelease"))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _is_chroot(host: HostFacts) -> bool:
    """Only root can tell; a container's own first process has the container's root."""
    try:
        first, ours = host.path("/proc/1/root").stat(), host.root.stat()
    except OSError:
        return False
    return (first.st_dev, first.st_ino) != (ours.st_dev, ours.st_ino)


def _kernel(host: HostFacts) -> Check:
    release, version = host.sysctl("kernel.osrelease") or "unknown", kernel_version(host)
    if version < KERNEL_NEEDED:
        return Check(
            name="kernel",
            state="missing",
            found=f"{release}; sandboxes need 5.12 or newer (mount_setattr)",
            fix="use a newer kernel; on Debian 11: sudo apt-get install -t bullseye-backports"
            " linux-image-" + {"x86_64": "amd64", "aarch64": "arm64"}.get(host.machine, "amd64"),
        )
    if version < KERNEL_TESTED:
        return Check(
            name="kernel", state="missing", found=f"{release}; tested from 5.15 on",
            fix="use Linux 5.15 or newer; docs/kernel-features.md says what older ones lack",
        )  # fmt: skip
    return Check(name="kernel", found=release)


def _processor(host: HostFacts) -> Check:
    if host.machine not in _MACHINES:
        return Check(
            name="processor", state="broken", found=host.machine,
            fix="use a machine with x86_64 or aarch64 (arm64) and a 64-bit system",
        )  # fmt: skip
    lacks = "" if host.machine == "x86_64" else "; SnapStart needs x86_64"
    return Check(name="processor", found=host.machine + lacks)
