"""Writes a data directory in the format of this version.

`python -m tests.hosts.make_data_directory TAR`: run it in a checkout of the version that users
upgrade from. `fixtures/data-directory.tar.xz` was written by the last commit before hosts were
tested.
"""

import sys
import tarfile
import tempfile
from pathlib import Path

from tests.hosts.inside.functions import PROVIDED, PYTHON
from tests.hosts.inside.served import Served, call_well, create


def main() -> None:
    """See above."""
    with tempfile.TemporaryDirectory() as directory:
        served = Served(Path(directory) / "data")
        served.start()
        client = served.client()
        create(client, "old-provided", {"bootstrap": PROVIDED}, Runtime="provided.al2023")
        create(client, "old-python", {"app.py": PYTHON}, Runtime="python3.11")
        assert call_well(client, "old-provided", {}) == {"provided": "shell"}
        client.publish_version(FunctionName="old-provided")
        client.create_alias(FunctionName="old-provided", Name="live", FunctionVersion="1")
        client.put_function_concurrency(FunctionName="old-python", ReservedConcurrentExecutions=5)
        served.stop()
        with tarfile.open(sys.argv[1], "w:xz") as archive:
            archive.add(served.data_dir, "data", filter=_without_volumes)


def _without_volumes(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Empty file systems are large, and can be created again."""
    return None if "/volumes/" in entry.name else entry


if __name__ == "__main__":
    main()
