"""The error of commands that need Linux, with the way to run them on this machine."""

import os
import sys

from lambent.cli.output import CliError
from lambent.kit.machine import ARCHITECTURES

_PACKAGES = "sudo apt-get install -y python3-venv make git"
_START = (
    "in a clone of Lambent made there `make setup && sudo .venv/bin/lambent up --data-dir"
    " /var/lib/lambent`"
)
_HOW = {
    "darwin": "on macOS run it in a Linux virtual machine: `brew install lima && limactl start"
    f" --name lambent template://debian-12`, `limactl shell lambent {_PACKAGES}`, then `limactl"
    f" shell lambent` and {_START} (colima does, too: `brew install colima && colima start &&"
    " colima ssh`); its port is forwarded: `lambent deploy`, `invoke` and `logs` work from macOS",
    "win32": "on Windows run it in WSL2: `wsl --install -d Debian`, then in `wsl -d Debian`:"
    f" `{_PACKAGES}` and {_START}",
}


def require_linux(command: str) -> None:
    """Raise `CliError` on a machine that cannot run the command; the message names one that can."""
    if sys.platform != "linux":
        how = _HOW.get(sys.platform, "run it on a Linux machine")
        raise CliError(f"lambent {command} needs Linux: {how}")
    machine, is_64_bit = os.uname().machine, sys.maxsize > 2**32
    if machine not in ARCHITECTURES or not is_64_bit:
        kind = machine if is_64_bit else f"{machine} with a 32-bit Python"
        names = " or ".join(ARCHITECTURES)
        raise CliError(f"lambent {command} needs a processor of {names} in 64 bits; this is {kind}")
