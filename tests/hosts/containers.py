"""Containers of runc with Docker's defaults, and directories that are not mount points."""

import json
import os
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from tests.hosts.docker_defaults import ALL_CAPABILITIES, configuration
from tests.hosts.images import Image
from tests.hosts.places import Place
from tests.hosts.steps import StepFailed, run, step, wait_until

# A shell reaps orphans, as an init does.
FIRST = ["bash", "-c", "trap exit TERM; while :; do sleep 3600 & wait $!; done"]
NODES = ("null", "zero", "full", "random", "urandom", "tty")


class Container(Place):
    """A container over an image's files; what it writes is discarded."""

    def __init__(self, image: Image, directory: Path, *, is_privileged: bool) -> None:
        super().__init__(directory)
        self.image = image
        self.is_privileged = is_privileged
        self._name = f"host-under-test-{uuid.uuid4().hex[:8]}"
        self._bundle = directory / "bundle"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def how(self) -> str:
        """See `Place`."""
        return "runc"

    def start(self) -> None:
        """See `Place`."""
        root, written = self._bundle / "root", self._bundle / "written"
        for path in (root, written / "files", written / "work"):
            path.mkdir(parents=True, exist_ok=True)
        layers = f"lowerdir={self.image.root},upperdir={written}/files,workdir={written}/work"
        mount = ["mount", "-t", "overlay", "lambent-hosts", "-o", layers, root]
        run(mount, log=self.log, deadline_s=60)
        config = configuration(root=str(root), first=FIRST, is_privileged=self.is_privileged)
        if self.is_privileged:
            self._give_what_there_is(config)
        (self._bundle / "config.json").write_text(json.dumps(config, indent=1))
        with step(f"starting a container of {self.image.name}"):
            with (self.directory / "console.log").open("wb") as console:
                self._process = subprocess.Popen(
                    ["runc", "run", "--bundle", str(self._bundle), self._name],
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=console,
                )
            wait_until(self._answers, "the container runs", 60)

    def stop(self) -> None:
        """See `Place`."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["runc", "delete", "--force", self._name], timeout=60, **quiet)
        if self._process is not None:
            self._process.wait(timeout=60)
        subprocess.run(["umount", "--lazy", self._bundle / "root"], timeout=60, **quiet)
        subprocess.run(["rm", "-rf", "--one-file-system", str(self._bundle)], timeout=600)

    def command_line(self, command: Sequence[str], user: str) -> list[str]:
        """See `Place`."""
        if user == "root":
            return ["runc", "exec", self._name, *command]
        return ["runc", "exec", self._name, "setpriv", f"--reuid={user}", "--init-groups", *command]

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            said = (self.directory / "console.log").read_text(errors="replace")
            raise StepFailed(f"the container ended at once:\n{said[-1500:]}")
        try:
            self.run(["true"], deadline_s=30)
        except StepFailed:
            return False
        return True

    def _give_what_there_is(self, config: dict[str, dict[str, object]]) -> None:
        """A privileged container has all devices, and the capabilities of its creator."""
        ours = _capabilities_of_this_process()
        given = [name for at, name in enumerate(ALL_CAPABILITIES) if ours >> at & 1]
        kinds = ("bounding", "effective", "permitted")
        config["process"]["capabilities"] = {kind: given for kind in kinds}
        devices = []
        for path in [Path("/dev/loop-control"), *sorted(Path("/dev").glob("loop[0-9]*"))]:
            facts = path.stat()
            numbers = {"major": os.major(facts.st_rdev), "minor": os.minor(facts.st_rdev)}
            kind = "b" if path.is_block_device() else "c"
            devices.append({"path": str(path), "type": kind, **numbers, "fileMode": 0o660})
        config["linux"]["devices"] = devices


class Directory(Place):
    """A copy of an image's files, entered by chroot: its root is not a mount point."""

    def __init__(self, image: Image, directory: Path) -> None:
        super().__init__(directory)
        self.image = image
        self._root = directory / "root"

    @property
    def how(self) -> str:
        """See `Place`."""
        return "chroot"

    def start(self) -> None:
        """See `Place`."""
        with step(f"copying {self.image.name}"):
            self.stop()
            run(["cp", "-a", self.image.root, self._root], log=self.log, deadline_s=600)
        for kind, at in (("proc", "proc"), ("sysfs", "sys")):
            run(["mount", "-t", kind, kind, self._root / at], log=self.log, deadline_s=60)
        cgroups, to = "/sys/fs/cgroup", self._root / "sys/fs/cgroup"
        run(["mount", "--rbind", "--make-rslave", cgroups, to], log=self.log, deadline_s=60)
        run(["mount", "--bind", "/dev", self._root / "dev"], log=self.log, deadline_s=60)

    def stop(self) -> None:
        """See `Place`."""
        for at in ("dev", "sys/fs/cgroup", "sys", "proc"):
            words = ["umount", "--recursive", "--lazy", str(self._root / at)]
            subprocess.run(words, timeout=60, stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", "--one-file-system", str(self._root)], timeout=600)

    def command_line(self, command: Sequence[str], user: str) -> list[str]:
        """See `Place`."""
        path = "PATH=/opt/lambent/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        words = ["env", "-i", path, "HOME=/root", "LANG=C.UTF-8", "chroot"]
        if user != "root":
            words.append(f"--userspec={user}")
        return [*words, str(self._root), *command]


def _capabilities_of_this_process() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0
