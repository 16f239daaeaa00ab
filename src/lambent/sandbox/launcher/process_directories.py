"""Directories and addresses of an environment without namespaces, in place of a box's fixed ones.

Everything that belongs to an environment is in one directory, its root: `/tmp` is `ROOT/tmp`, and
`/var/task`, `/opt` and so on are symbolic links there. Arguments and variables that name the paths
of a box, or the addresses of its APIs, are rewritten when a program starts. Paths inside a program
cannot be.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambent.sandbox.launcher.filesystem import TARGETS, TRUST

RUNTIME_API, ENDPOINT = "127.0.0.1:9001", "127.0.0.1:9002"
TRACE_DAEMON = "127.0.0.1:2000"
"""The addresses inside a box."""
LAYERS_VARIABLE = "LAMBENT_LAYERS_DIR"
ROOT_VARIABLE = "LAMBENT_ENVIRONMENT"
"""Names the root; it identifies the processes of a launcher that was killed."""
_SECRETS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})
_NAMES = "|".join((*TARGETS, "/tmp"))
_PATH = re.compile(rf"(?:^|(?<=[\s:;,=\"']))(?:{_NAMES})(?![^/\s:;,\"'])")
_FIXED_PATH = re.compile(rb"(?<![-\w}/.])(?:/opt/|/var/task\b|/var/runtime\b)")
_SCRIPT_BYTES = 65_536
HINT = (
    b"lambent: this program names /opt, /var/task or /var/runtime itself. With isolation 'process'"
    b" there is no such directory: take $LAMBENT_LAYERS_DIR, $LAMBDA_TASK_ROOT and"
    b" $LAMBDA_RUNTIME_DIR\n"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProcessDirectories:
    """The directories and addresses of one environment."""

    root: str
    runtime_api: str
    """Address and port."""
    endpoint: str
    trace_daemon: str

    def translate(self, text: str) -> str:
        """Replace the paths and addresses of a box in a text."""
        text = text.replace(RUNTIME_API, self.runtime_api).replace(ENDPOINT, self.endpoint)
        text = text.replace(TRACE_DAEMON, self.trace_daemon)
        return _PATH.sub(lambda found: self.root + found[0], text)

    def translate_variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return a program's variables, with those that name its directories."""
        own = {
            "HOME": f"{self.root}/tmp",
            "TMPDIR": f"{self.root}/tmp",
            LAYERS_VARIABLE: f"{self.root}/opt",
        }
        translated = {
            name: value if name in _SECRETS else self.translate(value)
            for name, value in variables.items()
            if not value.startswith(f"{TRUST}/")  # Those certificates are in boxes only.
        }
        return {**own, **translated, ROOT_VARIABLE: self.root}

    def translate_all(self, texts: Sequence[str]) -> list[str]:
        """Return a program's arguments."""
        return [self.translate(text) for text in texts]


def names_fixed_paths(program: str) -> bool:
    """Whether a program is a script that names paths which only a box has."""
    try:
        with Path(program).open("rb") as file:
            text = file.read(_SCRIPT_BYTES)
    except OSError:
        return False
    return text.startswith(b"#!") and _FIXED_PATH.search(text) is not None
