"""`make hosts`: start each host, run the checks there, and store the results."""

import argparse
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.hosts import results
from tests.hosts.hosts import ALL_CHECKS, HOSTS, Host
from tests.hosts.images import ready
from tests.hosts.inside.outcomes import FAILED, Outcome, outcome_of_line
from tests.hosts.places import Place
from tests.hosts.steps import WORK, StepFailed, say, step, stop_with
from tests.hosts.wheels import build_wheel, commit, install

ALL_HOSTS = {host.name: host.what for host in HOSTS.values()}
DEADLINE_S = 4 * 3600
"""Seconds for all checks of one host; each check has a shorter limit."""
NEEDS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "qemu-aarch64-static": "qemu-user-static",
    "runc": "runc",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
}


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(prog="make hosts", description=__doc__)
    parser.add_argument("hosts", nargs="*", help=f"some of: {', '.join(HOSTS)}")
    parser.add_argument("--checks", default="", help=f"some of: {','.join(ALL_CHECKS)}")
    options = parser.parse_args()
    for name in options.hosts:
        if name not in HOSTS:
            stop_with(f"there is no host {name!r}; there are: {', '.join(HOSTS)}")
    get_what_is_needed()
    with step("the wheel"):
        wheel, built_of = build_wheel(), commit()
    bad = []
    for name in options.hosts or HOSTS:
        found = try_host(HOSTS[name], wheel, built_of, options.checks)
        kept = results.keep(found, list(HOSTS))
        text = results.page(results.PAGE.read_text(), kept, ALL_CHECKS, ALL_HOSTS)
        results.PAGE.write_text(text)
        if not found.is_good:
            bad.append(name)
    if bad:
        stop_with(f"checks failed on: {', '.join(bad)}; logs are in {WORK}")


def try_host(host: Host, wheel: Path, built_of: str, checks: str) -> results.HostResult:
    """Run all checks on one host. A host that does not start is a result, too."""
    say(f"=== {host.name}: {host.what}")
    outcomes: list[Outcome] = []
    kernel, how = "–", "–"
    try:
        if host.image is not None:
            ready(host.image)
        with host.place(WORK / host.name) as place:
            how = place.how
            kernel = place.run(["uname", "-r"], deadline_s=120).strip()
            with step("installing"):
                install(place, wheel)
            run_checks(host, place, checks, outcomes)
    except StepFailed as error:
        say(f"{host.name}: {error}")
        outcomes.append(Outcome("host", FAILED, str(error)[:600], 0.0))
    return results.HostResult(
        host=host.name,
        what=host.what,
        kernel=kernel,
        how=how,
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        commit=built_of,
        outcomes=outcomes,
    )


def run_checks(host: Host, place: Place, checks: str, outcomes: list[Outcome]) -> None:
    """Run the checks on the host; each outcome is appended as soon as it is known."""
    command = ["env", "-C", place.checkout, "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"]
    command += [place.python, "-m", "tests.hosts.inside"]
    if host.is_service:
        command.append("--service")
    if place.is_shared:
        command.append("--shared")
    if checks:
        command.append(f"--checks={checks}")

    def on_line(line: str) -> None:
        if outcome := outcome_of_line(line):
            outcomes.append(outcome)
            note = f": {outcome.note}" if outcome.note else ""
            say(f"{host.name}  {outcome.check}  {outcome.state} ({outcome.seconds} s){note}")

    place.follow(command, on_line, user=host.user, deadline_s=DEADLINE_S)


def get_what_is_needed() -> None:
    """Install missing programs, as root on Debian; elsewhere print what to install."""
    missing = sorted({package for name, package in NEEDS.items() if shutil.which(name) is None})
    if os.geteuid() != 0:
        stop_with("make hosts makes images, mounts and containers: run it as root")
    if not missing:
        return
    if shutil.which("apt-get") is None:
        stop_with(f"missing: {' '.join(missing)} (names of Debian's packages)")
    with step(f"installing {' '.join(missing)}"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        words = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
        if subprocess.run(words, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
            stop_with(f"cannot install {' '.join(missing)}")


if __name__ == "__main__":
    main()
