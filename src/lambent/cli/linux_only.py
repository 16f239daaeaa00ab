"""What a machine without Linux says to commands that need it, and how to have one there."""

import sys

from lambent.cli.output import CliError

_PACKAGES = "sudo apt-get install -y python3-venv gcc make git"
_START = (
    "in a clone of Lambent made there `make setup && sudo .venv/bin/lambent up --data-dir"
    " /var/lib/lambent`"
)
_HOW = {
    "darwin": "on macOS run it in a Linux virtual machine: `brew install lima && limactl start"
    f" --name lambent template://debian-12`, `limactl shell lambent {_PACKAGES}`, then `limactl"
    f" shell lambent` and {_START} (colima does, too: `brew install colima && colima start &&"
    " colima ssh`); its port is forwarded, so `lambent deploy`, `invoke` and `logs` work from macOS",
    "win32": "on Windows run it in WSL2: `wsl --install -d Debian`, then in `wsl -d Debian`:"
    f" `{_PACKAGES}` and {_START}",
}


def require_linux(command: str) -> None:
    """Raises `CliError` on another system, with one sentence that says how to run it there."""
    if sys.platform == "linux":
        return
    how = _HOW.get(sys.platform, "run it on a Linux machine")
    raise CliError(f"lambent {command} needs Linux: {how}")
