"""What lies where in a data directory."""

import dataclasses
import hashlib
from pathlib import Path

from lambent.instance import lock as instance_lock
from lambent.store.settings import StoreSettings


@dataclasses.dataclass(frozen=True, slots=True)
class DataDirectory:
    """What lies where."""

    root: Path
    lock: int | None = None
    """Descriptor of the lock file, for the platform that holds it."""

    @property
    def instance(self) -> str:
        """Hex digits that tell the platform from others of this machine."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    @property
    def group(self) -> str:
        """The name of its control groups."""
        return f"lambent-{self.instance}"

    @property
    def is_of_unit(self) -> bool:
        """Whether systemd runs the platform that holds it, and starts it again when it fails."""
        return self.lock is not None and instance_lock.read_facts(self.lock).unit is not None

    def add_facts(self, **facts: str | None) -> None:
        """Publish more about this platform for other processes; see `lock.Facts`."""
        if self.lock is not None:
            instance_lock.add_facts(self.lock, **facts)

    @property
    def state(self) -> Path:
        """Database, packages and logs; the platform's."""
        return self.root / "state"

    def blobs(self, store: StoreSettings) -> Path:
        """Where packages are kept."""
        if "://" in store.blobs_dir:
            raise SystemExit(
                f"lambent: cannot use store.blobs_dir = {store.blobs_dir}: packages are kept in a"
                " directory; URLs of object stores are not supported"
            )
        return Path(store.blobs_dir).absolute() if store.blobs_dir else self.state / "blobs"

    def event_payloads(self, store: StoreSettings) -> Path:
        """Where large payloads of queued events are kept."""
        blobs = self.blobs(store)
        return blobs.with_name(f"{blobs.name}-events")

    @property
    def code(self) -> Path:
        """Unpacked packages, shown to boxes; the platform's."""
        return self.root / "code"

    @property
    def services(self) -> Path:
        """The emulator's own."""
        return self.state / "services"

    @property
    def sandbox(self) -> Path:
        """The launcher's own."""
        return self.root / "sandbox"
