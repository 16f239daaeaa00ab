"""The systemd units that come with Lambent."""

import re
import sys
from pathlib import Path

from lambent.cli.output import CliError

SYSTEM = Path(__file__).with_name("systemd") / "lambent.service"
USER = SYSTEM.with_name("lambent-user.service")
SOCKET = SYSTEM.with_name("lambent.socket")


def unit(*, is_of_user: bool, program: str | None = None) -> str:
    """The text of a unit that runs a program, by default this one. Raises CliError."""
    text = (USER if is_of_user else SYSTEM).read_text(encoding="utf-8")
    # A lambda, because a path is not a template.
    started = f"ExecStart={_quoted(program or _program())} up"
    return re.sub(r"^ExecStart=.*$", lambda _: started, text, flags=re.MULTILINE)


def _program() -> str:
    """The script that was called, else the one next to the interpreter."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "lambent" and called.is_file():
        return str(called)
    return str(Path(sys.executable).parent.absolute() / "lambent")


def _quoted(path: str) -> str:
    """A path as the first word of a command in a unit. Raises CliError if that is impossible."""
    if re.search(r"[\"'\\\x00-\x1f]", path):
        raise CliError(
            f"cannot run {path} as a service: systemd takes no paths with quotes, backslashes or"
            " control characters; install Lambent elsewhere"
        )
    escaped = path.replace("%", "%%")
    return f'"{escaped}"' if " " in escaped else escaped
