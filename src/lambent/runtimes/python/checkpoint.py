"""Where a function's process waits to be captured, and where its copies continue.

A captured process never returns from `wait`. Copies do, each in a separate environment: they read
their variables from the descriptor, which is theirs, not the captured process's.

Works on Python 3.8 and later.
"""

import os
import socket
import sys

import assignment
from assignment import CONTROL_FD


def reserve():
    """Reserve the descriptor's number, so that the function's own files do not use it."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null != CONTROL_FD:
        os.dup2(null, CONTROL_FD, inheritable=False)
        os.close(null)


def wait():
    """Be captured. In a copy: take over its variables, and become different from other copies."""
    if "ssl" in sys.modules:
        sys.modules["ssl"].RAND_bytes(1)  # Setting up its generator takes milliseconds.
    nobody = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    os.dup2(nobody.fileno(), CONTROL_FD, inheritable=False)
    nobody.close()
    environment = assignment.read()
    os.close(CONTROL_FD)
    assignment.become(environment)
    reseed()


def reseed():
    """Seed again: copies must not draw the same random numbers."""
    if "random" in sys.modules:
        sys.modules["random"].seed()
    if "ssl" in sys.modules:
        sys.modules["ssl"].RAND_add(os.urandom(64), 64.0)
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed()
