"""The clock: what it is read from, and whether it is right."""

import ctypes
import struct
from collections.abc import Iterator

from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.host import HostFacts

_SOURCES = "/sys/devices/system/clocksource/clocksource0"
_SLOW = frozenset({"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"})
_TIMEX_BYTES, _STATUS_AT, _UNSYNCHRONISED = 208, 40, 0x40


def examine_clock(host: HostFacts) -> Iterator[Check]:
    """Source, time namespace, synchronisation."""
    yield _source(host)
    yield _synchronisation(host, kernel_status())


def kernel_status() -> int | None:
    """The kernel's own word on its clock (`adjtimex`, which changes nothing); None if refused."""
    answer = ctypes.create_string_buffer(_TIMEX_BYTES)
    if ctypes.CDLL(None, use_errno=True).adjtimex(answer) < 0:
        return None
    return int(struct.unpack_from("=i", answer, _STATUS_AT)[0])


def _source(host: HostFacts) -> Check:
    current = host.read(f"{_SOURCES}/current_clocksource") or "unknown"
    shifted = [line for line in host.read("/proc/self/timens_offsets").splitlines() if line]
    is_shifted = any(set(line.split()[1:]) - {"0"} for line in shifted)
    found = current + (", in a time namespace" if is_shifted else "")
    if current not in _SLOW:
        return Check(name="clock source", found=found)
    others = host.read(f"{_SOURCES}/available_clocksource").split()
    better = next((other for other in others if other not in _SLOW), None)
    fix = (
        f"echo {better} | sudo tee {_SOURCES}/current_clocksource"
        if better
        else "give the virtual machine a paravirtual clock (kvm-clock), or its processor's tsc"
    )
    found += ": reading the time is a system call, a microsecond each"
    return Check(name="clock source", state="missing", found=found, fix=fix)


def _synchronisation(host: HostFacts, status: int | None) -> Check:
    keepers = (
        ("/run/systemd/timesync/synchronized", "systemd-timesyncd"),
        ("/run/chrony/chronyd.pid", "chrony"),
        ("/run/ntpd.pid", "ntpd"),
    )
    who = next((name for file, name in keepers if host.has(file)), "")
    if status is None or not status & _UNSYNCHRONISED:
        found = f"synchronised{' by ' + who if who else ''}" if status is not None else "unknown"
        return Check(name="time", found=found)
    return Check(
        name="time",
        state="missing",
        found="no service keeps it right: requests signed elsewhere are refused beyond 5 minutes",
        fix="sudo timedatectl set-ntp true, or: apt-get install chrony (in a container or a VM: on"
        " its host)",
    )
