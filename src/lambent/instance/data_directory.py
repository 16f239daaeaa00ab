"""The paths in a data directory."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Self

from lambent.instance import lock as instance_lock
from lambent.store.settings import StoreSettings

CELLS = "cells"
"""Directory of what the cells after the first have for themselves."""
EVENTS_SUFFIX = "-events"
"""Added to the name of the place of packages, it names the place of payloads."""


@dataclasses.dataclass(frozen=True, slots=True)
class DataDirectory:
    """The paths of one data directory."""

    root: Path
    lock: int | None = None
    """Descriptor of the lock file, in the platform that holds it."""
    cell: int = 1
    """The number of the cell that uses it, from 1. Each cell has its own state, code, trust and
    sandbox; those of the first are where a platform without cells has them."""

    @property
    def own(self) -> Path:
        """The directory of what this cell has for itself."""
        return self.root if self.cell == 1 else self.root / CELLS / str(self.cell)

    @property
    def first(self) -> Self:
        """The same directory, as the first cell uses it."""
        return dataclasses.replace(self, cell=1)

    def all_cells(self) -> list[Self]:
        """The same directory, as each cell uses or has used it."""
        numbers = [path.name for path in self.root.glob(f"{CELLS}/*") if path.name.isdecimal()]
        cells = sorted({1, *map(int, numbers)})
        return [dataclasses.replace(self, cell=cell) for cell in cells]

    @property
    def instance(self) -> str:
        """Hex digits that distinguish the platform, or one of its cells, from others on this
        machine. The numbers of user IDs follow from the first four: those of cells are
        consecutive."""
        digits = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        return f"{(int(digits[:4], 16) + self.cell - 1) % 0x10000:04x}{digits[4:]}"

    @property
    def group(self) -> str:
        """The name of its control groups."""
        return f"lambent-{self.instance}"

    @property
    def is_of_unit(self) -> bool:
        """Whether systemd runs the platform that holds it, and restarts it when it fails."""
        return self.lock is not None and instance_lock.read_facts(self.lock).unit is not None

    def add_facts(self, **facts: str | int | None) -> None:
        """Add to what the lock file says about this platform; see `lock.Facts`."""
        if self.lock is not None:
            instance_lock.add_facts(self.lock, **facts)

    @property
    def state(self) -> Path:
        """Database, packages and logs; owned by the platform."""
        return self.own / "state"

    def blobs(self, store: StoreSettings) -> Path:
        """Packages, unless `store.blobs_url` is set. Raises SystemExit for a URL of an object
        store."""
        if "://" in store.blobs_dir:
            raise SystemExit(
                f"lambent: cannot use store.blobs_dir = {store.blobs_dir}: it must be a directory;"
                " URLs of object stores are not supported there. Use store.blobs_url"
            )
        return Path(store.blobs_dir).absolute() if store.blobs_dir else self.state / "blobs"

    def event_payloads(self, store: StoreSettings) -> Path:
        """Large payloads of queued events."""
        blobs = self.blobs(store)
        return blobs.with_name(f"{blobs.name}{EVENTS_SUFFIX}")

    @property
    def code(self) -> Path:
        """Unpacked packages, mounted into boxes; owned by the platform."""
        return self.own / "code"

    @property
    def trust(self) -> Path:
        """Certificates for those that talk to the platform: `ca.pem` for people, `boxes.pem`,
        `bundle.pem` and `bundle.jks` for boxes; owned by the platform."""
        return self.own / "trust"

    @property
    def ca_certificate(self) -> Path:
        """The certificate that people trust, of the authority that issues the front door's."""
        return self.first.trust / "ca.pem"

    @property
    def services(self) -> Path:
        """Files of the emulator of other services."""
        return self.state / "services"

    @property
    def sandbox(self) -> Path:
        """Files of the launcher."""
        return self.own / "sandbox"
