"""Copies the libraries of the console from npm packages: `make vendor-console`.

Versions are those of `tests/console/js/package.json`, which `tools/make-test-needs` installs; npm
checks what it downloads. A test compares the copies with the packages.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ROOT / "build/test-packages/console/node_modules"
VENDOR = ROOT / "src/lambent/console/static/vendor"
FILES: Mapping[str, str] = {
    "preact.mjs": "preact/dist/preact.mjs",
    "hooks.mjs": "preact/hooks/dist/hooks.mjs",
    "htm.mjs": "htm/dist/htm.mjs",
    "uPlot.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.css": "uplot/dist/uPlot.min.css",
    "preact.LICENSE": "preact/LICENSE",
    "htm.LICENSE": "htm/LICENSE",
    "uPlot.LICENSE": "uplot/LICENSE",
}
"""Where each copy is from."""


def main() -> int:
    """Copy all of them; returns the exit code."""
    if not PACKAGES.is_dir():
        print(f"{PACKAGES} is missing: run tools/make-test-needs", file=sys.stderr)
        return 1
    for name, source in FILES.items():
        shutil.copyfile(PACKAGES / source, VENDOR / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
