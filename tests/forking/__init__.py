"""Our programs and the AWS CLI, forked from a server that has their libraries loaded.

A run of the tests starts hundreds of `lambent up`, `lambent …` and `aws …`; most of the time of
each goes into Python's imports. `Forked` starts them like `subprocess.Popen`, `run` like
`subprocess.run`, and `commands()` is a directory for the PATH of shells. Each is a separate process
with its own arguments, variables, directory, descriptors, signals and exit code. The differences to
a fresh process: it is the server's child, /proc shows the server's command line and first
variables, Python's own variables (PYTHON…) have no effect, and what a shell starts belongs to
another session, so it has no controlling terminal. Tests of these, the platform that the first
worker's tests share, and some tests of each kind start fresh processes.
"""

from tests.forking.client import Forked, commands, run, share

__all__ = ["Forked", "commands", "run", "share"]
