"""Virtual machines: QEMU, a disk of an image, and commands over ssh on a loopback port."""

import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.hosts.images import Image, ssh_key
from tests.hosts.places import Place
from tests.hosts.steps import StepFailed, run, step, wait_until

BOOT_DEADLINE_S = 600
MEMORY_MB = 3072
EMULATORS = {
    "amd64": ["qemu-system-x86_64", "-machine", "q35"],
    "arm64": ["qemu-system-aarch64", "-machine", "virt"],
}
EMULATED_CPU = {"amd64": "max,la57=off", "arm64": "cortex-a72"}
CONSOLES = {"amd64": "ttyS0", "arm64": "ttyAMA0"}
KVM_CHECK_S = 25
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]
"""Kills the machine however this process ends: a forgotten machine would use a processor."""


class Machine(Place):
    """A running machine. What it writes to its disk is discarded when it stops."""

    def __init__(self, image: Image, directory: Path, *, arguments: str = "") -> None:
        super().__init__(directory)
        self.image = image
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._disk = directory / "disk.qcow2"
        # A socket's path has at most 107 characters.
        self._connections = tempfile.TemporaryDirectory(prefix="lambent-hosts-")

    @property
    def how(self) -> str:
        """See `Place`."""
        return "KVM" if "kvm" in acceleration(self.image) else "emulated"

    @property
    def is_shared(self) -> bool:
        """See `Place`."""
        return False

    def start(self) -> None:
        """See `Place`."""
        making = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b"]
        run([*making, self.image.disk.resolve(), self._disk], log=self.log, deadline_s=60)
        self._port = _free_port()
        command = self._command()
        with step(f"booting {self.image.name}"), self._console().open("wb") as console:
            self._process = subprocess.Popen(
                [*ENDS_WITH_US, *command], stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
            wait_until(self._answers, f"{self.image.name} lets us in", BOOT_DEADLINE_S)

    def stop(self) -> None:
        """Switch it off, like a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._disk.unlink(missing_ok=True)
        self._connections.cleanup()

    def command_line(self, command: Sequence[str], user: str) -> list[str]:
        """See `Place`."""
        return [*self._ssh(user), shlex.join(command)]

    def _console(self) -> Path:
        return self.directory / "console.log"

    def _command(self) -> list[str]:
        architecture = self.image.architecture
        network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self._port}-:22"
        append = f"root=/dev/vda rw console={CONSOLES[architecture]} {self._arguments}"
        return [
            *EMULATORS[architecture],
            *acceleration(self.image),
            *("-m", str(MEMORY_MB), "-smp", "2", "-nographic", "-no-reboot"),
            *("-kernel", str(self.image.boot_file("vmlinuz"))),
            *("-initrd", str(self.image.boot_file("initrd.img"))),
            *("-append", append),
            *("-drive", f"file={self._disk},format=qcow2,if=virtio,cache=unsafe"),
            *("-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile="),
            *("-object", "rng-random,id=rng,filename=/dev/urandom"),
            *("-device", "virtio-rng-pci,rng=rng"),
        ]

    def _ssh(self, user: str) -> list[str]:
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "ConnectTimeout=60",
            "ControlMaster=auto",
            "ControlPersist=600",
            f"ControlPath={self._connections.name}/{user}",
        ]
        words = ["ssh", "-p", str(self._port), "-i", str(ssh_key())]
        for option in options:
            words += ["-o", option]
        return [*words, f"{user}@127.0.0.1"]

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            console = self._console().read_text(errors="replace")
            raise StepFailed(f"the machine ended while it booted:\n{console[-1500:]}")
        try:
            self.run(["true"], deadline_s=90)
        except StepFailed:
            return False
        return True


_kvm_works: dict[str, bool] = {}


def acceleration(image: Image) -> list[str]:
    """QEMU's arguments: KVM if a kernel actually boots with it here, else emulation."""
    if image.architecture not in _kvm_works:
        _kvm_works[image.architecture] = _boots_with_kvm(image)
    if _kvm_works[image.architecture]:
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", EMULATED_CPU[image.architecture]]


def _boots_with_kvm(image: Image) -> bool:
    """The existence of /dev/kvm is not enough: on a nested machine, a kernel may not even print its
    first line."""
    if not Path("/dev/kvm").exists():
        return False
    command = [
        *EMULATORS[image.architecture],
        *("-accel", "kvm", "-cpu", "host", "-m", "512", "-nographic", "-no-reboot"),
        *("-kernel", str(image.boot_file("vmlinuz"))),
        *("-append", f"console={CONSOLES[image.architecture]} panic=-1"),
    ]
    process = subprocess.Popen(
        [*ENDS_WITH_US, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output = process.communicate(timeout=KVM_CHECK_S)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        output = process.communicate()[0]
    return b"Linux version" in output


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _main() -> None:
    """`python -m tests.hosts.machines IMAGE DIRECTORY`: boot and run until Ctrl-C."""
    import sys

    from tests.hosts.images import IMAGES, ready

    image = ready(IMAGES[sys.argv[1]])
    with Machine(image, Path(sys.argv[2]), arguments=" ".join(sys.argv[3:])) as machine:
        words = shlex.join(machine._ssh("root"))
        (machine.directory / "ssh").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (machine.directory / "ssh").chmod(0o755)
        print(f"commands: {machine.directory}/ssh COMMAND", flush=True)
        while True:
            time.sleep(3600)  # noqa: TID251 - until Ctrl-C


if __name__ == "__main__":
    _main()
