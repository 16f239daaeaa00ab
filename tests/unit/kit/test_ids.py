"""Identifiers that are unique without a system call."""

import subprocess
import sys

FORK = """
import os
from lambent.kit.ids import new_request_id
child = os.fork()
os.write(1, f"{new_request_id()}\\n".encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_process_makes_others() -> None:
    """It does not go on with the numbers of its parent."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    assert first != second
