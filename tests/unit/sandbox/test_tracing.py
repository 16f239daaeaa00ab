"""Processes that are held, as the launcher holds them."""

import os
import resource
import subprocess
import sys

import pytest

from lambent.sandbox.launcher import tracing

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="for x86-64 only")
READS = "import os; os.write(1, b'x'); os.read(0, 1)"


def test_descriptors_of_any_number() -> None:
    """A launcher with more than a thousand boxes can hold processes, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("descriptors are few here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    with subprocess.Popen(
        [sys.executable, "-c", READS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        low = os.pidfd_open(process.pid)
        pidfd = 3000
        os.dup2(low, pidfd)
        try:
            assert process.stdout is not None
            assert process.stdout.read(1) == b"x"
            tracing.wait_until_reading(process.pid, 0)
            with tracing.hold(process.pid, pidfd) as tracee:
                assert tracing.waits_in_read(tracee, 0) is not None
                assert tracing.waits_in_read(tracee, 1) is None
            process.communicate(b"y", timeout=10)
            assert process.returncode == 0
        finally:
            os.close(low)
            os.close(pidfd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            process.kill()
