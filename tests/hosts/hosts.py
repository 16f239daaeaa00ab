"""The hosts that Lambent is proved on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.containers import Container, Directory
from tests.hosts.images import IMAGES, Image
from tests.hosts.inside.order import DEADLINES
from tests.hosts.machines import Machine
from tests.hosts.places import Place

ALL_CHECKS = list(DEADLINES)
NO_SYSTEMD = "init=/srv/init-without-systemd"


@dataclass(frozen=True)
class Host:
    """A host by name: how it is made and who runs the platform there."""

    name: str
    what: str
    image: Image
    place: Callable[[Image, Path], Place]
    user: str = "root"
    is_service: bool = False


def _machine(image: Image, directory: Path) -> Place:
    return Machine(image, directory)


def _machine_without_systemd(image: Image, directory: Path) -> Place:
    return Machine(image, directory, arguments=NO_SYSTEMD)


def _container(image: Image, directory: Path) -> Place:
    return Container(image, directory, is_privileged=False)


def _privileged(image: Image, directory: Path) -> Place:
    return Container(image, directory, is_privileged=True)


def _machines(name: str, image: Image, what: str) -> list[Host]:
    return [
        Host(f"{name}-root", f"{what}, root in a shell", image, _machine),
        Host(f"{name}-service", f"{what}, lambent.service", image, _machine, is_service=True),
        Host(f"{name}-user", f"{what}, an ordinary user", image, _machine, user="user"),
    ]


_BOOKWORM = IMAGES["debian12-amd64"]
HOSTS = {
    host.name: host
    for host in (
        *_machines("debian12", _BOOKWORM, "Debian 12 with systemd"),
        *_machines("debian13", IMAGES["debian13-amd64"], "Debian 13 with systemd"),
        Host("arm64", "Debian 12 on arm64, root", IMAGES["debian12-arm64"], _machine),
        Host(
            "no-systemd", "Debian 12 with another init, root", _BOOKWORM, _machine_without_systemd
        ),
        Host(
            "kernel-5.10",
            "Debian 12 on the kernel of Debian 11, root",
            IMAGES["debian12-kernel-5.10-amd64"],
            _machine,
        ),
        Host("container", "a container with Docker's defaults", _BOOKWORM, _container),
        Host("privileged", "a privileged container", _BOOKWORM, _privileged),
        Host("chroot", "a root that is no mount point", _BOOKWORM, Directory),
        Host(
            "python3.14",
            "a privileged container of Debian with Python 3.14",
            IMAGES["debian-next-amd64"],
            _privileged,
        ),
    )
}
