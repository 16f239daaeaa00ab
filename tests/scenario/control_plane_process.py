"""The API without a data plane, in a separate process that tests may kill.

    python -m tests.scenario.control_plane_process DATA [DATABASE_URL]

prints its endpoint and serves until it is killed.
"""

import sys
from pathlib import Path

import anyio

from lambent.store.settings import StoreSettings

from .functions_api import serve_api


async def main(data: Path, url: str) -> None:
    """Serve forever."""
    async with serve_api(data, StoreSettings(url=url)) as endpoint:
        print(endpoint, flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(
        main,
        Path(sys.argv[1]),
        sys.argv[2] if len(sys.argv) > 2 else "",
        backend_options={"use_uvloop": True},
    )
