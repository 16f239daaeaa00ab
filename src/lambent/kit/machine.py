"""The machine's architecture, in AWS's words."""

import os

ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
"""AWS's name by the kernel's."""


def architecture() -> str:
    """The architecture that functions need to run on this machine: `x86_64` or `arm64`."""
    machine = os.uname().machine
    return ARCHITECTURES.get(machine, machine)
