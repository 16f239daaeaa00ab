"""The hosts that Lambent is tested on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.containers import Container, Directory
from tests.hosts.here import Here
from tests.hosts.images import IMAGES, Image
from tests.hosts.inside.order import DEADLINES
from tests.hosts.machines import Machine
from tests.hosts.places import Place

ALL_CHECKS = list(DEADLINES)
NO_SYSTEMD = "init=/srv/init-without-systemd"


@dataclass(frozen=True)
class Host:
    """A host by name: how to create it, and who runs the platform there."""

    name: str
    what: str
    image: Image | None
    place: Callable[[Path], Place]
    """Creates it; the directory is for its logs."""
    user: str = "root"
    is_service: bool = False


def _machine(name: str, description: str, image: Image, **more: Any) -> Host:
    return Host(name, description, image, lambda at: Machine(image, at), **more)


def _other_init(name: str, description: str, image: Image) -> Host:
    return Host(name, description, image, lambda at: Machine(image, at, arguments=NO_SYSTEMD))


def _container(name: str, description: str, image: Image, *, is_privileged: bool) -> Host:
    return Host(
        name, description, image, lambda at: Container(image, at, is_privileged=is_privileged)
    )


def _directory(name: str, description: str, image: Image) -> Host:
    return Host(name, description, image, lambda at: Directory(image, at))


def _here(version: str) -> Host:
    description = f"the machine that runs the others, Python {version}, root"
    return Host(f"python{version}", description, None, lambda at: Here(version, at))


_BOOKWORM = IMAGES["debian12-amd64"]
_TRIXIE = IMAGES["debian13-amd64"]
_NEXT = IMAGES["debian-next-amd64"]
_OLD_KERNEL = IMAGES["debian12-kernel-5.10-amd64"]
HOSTS = {
    host.name: host
    for host in (
        _machine("debian12-root", "Debian 12, root in a shell", _BOOKWORM),
        _machine("debian12-service", "Debian 12, lambent.service", _BOOKWORM, is_service=True),
        _machine("debian12-user", "Debian 12, an ordinary user", _BOOKWORM, user="user"),
        _machine("debian13-root", "Debian 13, root in a shell", _TRIXIE),
        _machine("debian13-service", "Debian 13, lambent.service", _TRIXIE, is_service=True),
        _machine("debian13-user", "Debian 13, an ordinary user", _TRIXIE, user="user"),
        _machine("arm64", "Debian 12 on arm64, root", IMAGES["debian12-arm64"]),
        _machine("kernel-5.10", "Debian 12 on the kernel of Debian 11, root", _OLD_KERNEL),
        _other_init("no-systemd", "Debian 12 with another init, root", _BOOKWORM),
        _container("container", "Docker's defaults, Debian 12", _BOOKWORM, is_privileged=False),
        _container("privileged", "privileged, Debian 12", _BOOKWORM, is_privileged=True),
        Host(
            "chroot",
            "a root that is no mount point",
            _BOOKWORM,
            lambda at: Directory(_BOOKWORM, at),
        ),
        _here("3.12"),
        _here("3.13"),
        _container("python3.14", "privileged, Debian with Python 3.14", _NEXT, is_privileged=True),
    )
}
