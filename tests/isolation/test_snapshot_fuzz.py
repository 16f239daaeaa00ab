"""Processes that become images in which any part was changed.

The long form is `make fuzz-snapshots`.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.isolation.boxes import REPOSITORY

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes namespaces"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="for x86-64 only"),
]
RESTORES = int(os.environ.get("FUZZ_SNAPSHOT_RESTORES", "60"))
SEED = int(os.environ.get("FUZZ_SNAPSHOT_SEED", "1"))


def test_any_image_is_refused_or_changes_no_other_process() -> None:
    """Each process is dead or keeps its credentials, namespaces and filter; also with images that
    the rules refuse, and with code that replaces the launcher's."""
    program = [sys.executable, "-m", "tests.isolation.snapshot_fuzz", "0", str(RESTORES), str(SEED)]
    done = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    print(counts)
    outcomes = {
        name: count for name, count in counts.items() if name.startswith(("taken", "forced"))
    }
    assert sum(outcomes.values()) == RESTORES
    assert counts["taken: restored"] > RESTORES / 5
    assert counts["forced: failed"] > 0
