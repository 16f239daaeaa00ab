"""Images of Debian with Lambent's dependencies, built by mmdebstrap and cached.

An image is a directory (`root/`, for containers and chroots) and a disk built from it (`disk.ext4`,
for machines). It does not contain Lambent itself: that is installed when the image runs, as users
do.
"""

import hashlib
import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from lambent.kit.installing import locked
from tests.hosts.runtimes import NODE, SPREAD, install_runtimes, requirements, wheel_platforms
from tests.hosts.steps import ROOT, WORK, StepFailed, run, step

PACKAGES = (
    "systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,udev,kmod,openssh-server,login,"
    "passwd,uidmap,iproute2,procps,util-linux,e2fsprogs,ca-certificates,python3-venv"
)
TEST_PACKAGES = ("boto3", "pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "aio-pika")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
DISK_SIZE = "4G"
REMADE = ("opt/lambent", "srv/wheels", "srv/source", "var/cache/lambent")
"""The packages of an image in addition to Debian's base."""

SETUP = r"""
set -eu
cd "$1"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n' >etc/systemd/network/80-all.network
echo host-under-test >etc/hostname
printf '127.0.0.1 localhost host-under-test\n::1 localhost\n' >etc/hosts
rm -f etc/resolv.conf; echo 'nameserver 10.0.2.3' >etc/resolv.conf
mkdir -p root/.ssh home srv/checkout
cp "$2" root/.ssh/authorized_keys
chmod 700 root/.ssh; chmod 600 root/.ssh/authorized_keys
printf 'UseDNS no\nPrintMotd no\nMaxSessions 100\nMaxStartups 100\n' \
    >etc/ssh/sshd_config.d/hosts.conf
chroot . systemctl -q enable systemd-networkd ssh
chroot . systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer motd-news.timer systemd-timesyncd.service
chroot . useradd -m -s /bin/bash user
mkdir -p home/user/.ssh var/lib/systemd/linger
cp "$2" home/user/.ssh/authorized_keys
chroot . chown -R user:user /home/user
chmod 700 home/user/.ssh; chmod 600 home/user/.ssh/authorized_keys
touch var/lib/systemd/linger/user
cat >srv/init-without-systemd <<'END'
#!/bin/bash
# Process 1 of a machine without systemd: file systems, the network, sshd.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /run/sshd
mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run
mkdir -p /run/sshd; mount -t cgroup2 cgroup2 /sys/fs/cgroup
/lib/systemd/systemd-udevd --daemon; udevadm trigger; udevadm settle
ip link set lo up
for path in /sys/class/net/e*; do
    ip link set "${path##*/}" up; ip address add 10.0.2.15/24 dev "${path##*/}"
done
/usr/sbin/sshd
while :; do sleep 3600 & wait $!; done
END
chmod 755 srv/init-without-systemd
"""


@dataclass(frozen=True)
class Image:
    """The description of an image."""

    name: str
    suite: str
    architecture: str
    """Debian's name: amd64 or arm64."""
    python: str
    """The version of /usr/bin/python3, such as 3.11."""
    kernel_suite: str = ""
    """The suite of the kernel, if not `suite`."""

    @property
    def directory(self) -> Path:
        """Where it is stored."""
        return WORK / "images" / self.name

    @property
    def root(self) -> Path:
        """Its files."""
        return self.directory / "root"

    @property
    def disk(self) -> Path:
        """Its files as a disk; not to be written to."""
        return self.directory / "disk.ext4"

    def boot_file(self, kind: str) -> Path:
        """Its kernel (`vmlinuz`) or `initrd.img`."""
        return sorted((self.root / "boot").glob(f"{kind}-*"))[-1]


IMAGES = {
    image.name: image
    for image in (
        Image("debian12-amd64", "bookworm", "amd64", "3.11"),
        Image("debian13-amd64", "trixie", "amd64", "3.13"),
        Image("debian12-arm64", "bookworm", "arm64", "3.11"),
        Image("debian12-kernel-5.10-amd64", "bookworm", "amd64", "3.11", kernel_suite="bullseye"),
        Image("debian-next-amd64", "forky", "amd64", "3.14"),
    )
}


def ssh_key() -> Path:
    """The private key for ssh to every machine; created at first use."""
    key = WORK / "ssh_key"
    if not key.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        log = WORK / "images.log"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], log=log, deadline_s=60)
    return key


def ready(image: Image) -> Image:
    """Build the missing parts of an image; quick if none are missing. Two processes never build the
    same image at the same time. Raises StepFailed."""
    (WORK / "images").mkdir(parents=True, exist_ok=True)
    with locked(WORK / "images" / f".{image.name}.lock"):
        return _make(image)


def _make(image: Image) -> Image:
    stamp, of_debian = image.directory / "made-of", image.directory / "debian-made-of"
    wanted, wanted_of_debian = _fingerprint(image), _fingerprint_of_debian(image)
    if _says(stamp, wanted):
        return image
    stamp.unlink(missing_ok=True)
    log = image.directory / "build.log"
    if not _says(of_debian, wanted_of_debian):
        remove_tree(image.directory)
        image.directory.mkdir(parents=True)
        with step(f"image {image.name}: Debian"):
            _install_debian(image, log)
        of_debian.write_text(wanted_of_debian)
    for path in REMADE:
        shutil.rmtree(image.root / path, ignore_errors=True)
    with step(f"image {image.name}: dependencies"):
        _install_dependencies(image, log)
    with step(f"image {image.name}: runtimes of functions"):
        machine = MACHINES[image.architecture]
        install_runtimes(image.root, machine, image.python, log)
    with step(f"image {image.name}: disk"):
        image.disk.unlink(missing_ok=True)
        mke2fs = ["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", image.root, image.disk]
        run([*mke2fs, DISK_SIZE], log=log, deadline_s=600)
    stamp.write_text(wanted)
    return image


def remove_tree(directory: Path) -> None:
    """Remove a directory. File systems mounted in it belong to this machine (an attempt that was
    killed leaves its `/dev/shm` mounted there): they are unmounted before, never emptied."""
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        point = line.split()[4]
        if Path(point).is_relative_to(directory.resolve()):
            subprocess.run(["umount", "--lazy", point], check=True, timeout=60)
    if directory.exists():
        subprocess.run(
            ["rm", "-r", "--force", "--one-file-system", directory], check=True, timeout=600
        )


def _says(stamp: Path, wanted: str) -> bool:
    return stamp.exists() and stamp.read_text() == wanted


def _fingerprint_of_debian(image: Image) -> str:
    parts = [repr(image), PACKAGES, SETUP, ssh_key().read_text()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _fingerprint(image: Image) -> str:
    parts = [_fingerprint_of_debian(image), NODE, SPREAD, *project_requirements()]
    parts += requirements(image.python)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _install_debian(image: Image, log: Path) -> None:
    command = [
        "mmdebstrap",
        "--mode=root",
        "--variant=apt",
        f"--architectures={image.architecture}",
    ]
    for path in ("doc", "man", "locale", "info"):
        command.append(f"--dpkgopt=path-exclude=/usr/share/{path}/*")
    dump = run(["apt-config", "dump", "Acquire"], log=log, deadline_s=60).decode()
    command += [f"--aptopt={line}" for line in mirror_settings(dump)]
    kernel, mirror = f"linux-image-cloud-{image.architecture}", _mirror(log)
    sources = [f"deb {mirror} {image.suite} main"]
    if image.kernel_suite:
        kernel += f"/{image.kernel_suite}"
        sources.append(f"deb {mirror} {image.kernel_suite} main")
    command.append(f"--include={PACKAGES},{kernel}")
    run([*command, image.suite, image.root, *sources], log=log, deadline_s=3600)
    setup = ["bash", "-c", SETUP, "setup", image.root, ssh_key().with_suffix(".pub")]
    run(setup, log=log, deadline_s=300)


def _install_dependencies(image: Image, log: Path) -> None:
    """A virtual environment at /opt/lambent. Wheels for that machine are unpacked from outside."""
    venv = ["chroot", image.root, "python3", "-m", "venv", "/opt/lambent"]
    run(venv, log=log, deadline_s=900)
    packages = image.root / "opt/lambent/lib" / f"python{image.python}" / "site-packages"
    machine = MACHINES[image.architecture]
    pip = ["python3", "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:"]
    pip += [f"--target={packages}", f"--python-version={image.python}"]
    pip += wheel_platforms(machine)
    run([*pip, *project_requirements()], log=log, deadline_s=1800)
    if machine != os.uname().machine:
        return  # An emulated compiler takes longer than importing sources there.
    compiling = ["chroot", image.root, "/opt/lambent/bin/python", "-m", "compileall", "-q"]
    run([*compiling, f"/opt/lambent/lib/python{image.python}"], log=log, deadline_s=3600)


def project_requirements() -> list[str]:
    """What Lambent and the tests on hosts need from PyPI."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *TEST_PACKAGES]


def _mirror(log: Path) -> str:
    """The URL from which this machine gets Debian."""
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)"]
    for line in (
        run([*targets, "Created-By: Packages"], log=log, deadline_s=60).decode().split("\n")
    ):
        uri, _, label = line.partition(" ")
        if label == "Debian":
            return uri
    raise StepFailed("apt knows no mirror of Debian: images cannot be made on this machine")


def mirror_settings(dump: str) -> list[str]:
    """The lines of `apt-config dump` about access to mirrors: proxies, and whether the dates of a
    mirror's index must be current (a mirror of an earlier day has expired indexes)."""
    about = ("proxy", "check-valid-until", "check-date")
    lines = [line for line in dump.splitlines() if '""' not in line]
    return [line for line in lines if any(word in line.lower() for word in about)]
