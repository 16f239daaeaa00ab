"""Programs of ours and the AWS CLI, forked from a server that has the libraries they use loaded.

A run of the tests starts hundreds of `lambent up`, `lambent …` and `aws …`; most of what each
takes is Python's imports. `Forked` starts them as `subprocess.Popen` does, `run` as
`subprocess.run`, and `commands()` is a directory for the PATH of shells. Each is a process of its
own, with the arguments, variables, directory, descriptors and signals it is given, and its own exit
code. What differs from a fresh one: it is the server's child, it shows the server's command line
and first variables in /proc, Python's own variables (PYTHON…) have no effect, and what a shell
starts belongs to another session, so it has no controlling terminal. Tests of these, the platform
that a worker's tests share, and some tests of each kind start fresh processes.
"""

from tests.forking.client import Forked, commands, run

__all__ = ["Forked", "commands", "run"]
