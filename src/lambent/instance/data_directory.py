"""The paths in a data directory."""

import dataclasses
import hashlib
from pathlib import Path

from lambent.instance import lock as instance_lock
from lambent.store.settings import StoreSettings

EVENTS_SUFFIX = "-events"
"""Added to the name of the place of packages, it names the place of payloads."""


@dataclasses.dataclass(frozen=True, slots=True)
class DataDirectory:
    """The paths of one data directory."""

    root: Path
    lock: int | None = None
    """Descriptor of the lock file, in the platform that holds it."""

    @property
    def instance(self) -> str:
        """Hex digits that distinguish the platform from others on this machine."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    @property
    def group(self) -> str:
        """The name of its control groups."""
        return f"lambent-{self.instance}"

    @property
    def is_of_unit(self) -> bool:
        """Whether systemd runs the platform that holds it, and restarts it when it fails."""
        return self.lock is not None and instance_lock.read_facts(self.lock).unit is not None

    def add_facts(self, **facts: str | None) -> None:
        """Add to what the lock file says about this platform; see `lock.Facts`."""
        if self.lock is not None:
            instance_lock.add_facts(self.lock, **facts)

    @property
    def state(self) -> Path:
        """Database, packages and logs; owned by the platform."""
        return self.root / "state"

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
        return self.root / "code"

    @property
    def trust(self) -> Path:
        """Certificates for those that talk to the platform: `ca.pem` for people, `boxes.pem`,
        `bundle.pem` and `bundle.jks` for boxes; owned by the platform."""
        return self.root / "trust"

    @property
    def ca_certificate(self) -> Path:
        """The certificate that people trust, of the authority that issues the front door's."""
        return self.trust / "ca.pem"

    @property
    def services(self) -> Path:
        """Files of the emulator of other services."""
        return self.state / "services"

    @property
    def sandbox(self) -> Path:
        """Files of the launcher."""
        return self.root / "sandbox"
