"""Interpreters for functions in an image, and what the platform would download for them.

The hosts have no network. What `lambent up` installs at its first start (runtime clients and AWS's
SDKs) is put into an image by the same code, with this machine's pip and npm.
"""

import os
import shutil
import sys
from pathlib import Path
from unittest.mock import patch

import lambent
from lambent.node.languages import preparing
from lambent.node.languages.language import Interpreter
from lambent.node.languages.registry import language_of
from tests.hosts.steps import StepFailed, run
from tests.interpreters import an_interpreter

NODE = "22"
"""Debian's own version is older than current functions require."""
NODE_SDK = ("@aws-sdk/client-lambda@3", "@aws-sdk/client-sts@3")
NODE_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
PREPARE = """
from pathlib import Path
from lambent.node.languages.interpreters import find_interpreters
from lambent.node.languages.preparing import prepare_runtimes
found = [interpreter for interpreter in find_interpreters() if interpreter.kind == "python"]
for runtime in prepare_runtimes(found, Path("/var/cache/lambent/runtimes")):
    assert runtime.failure is None, runtime.failure
"""
SPREAD = """
set -eu
for home in /root /home/user; do
    mkdir -p "$1$home/.cache/lambent"
    cp -a --reflink=auto "$1/var/cache/lambent/runtimes" "$1$home/.cache/lambent/"
done
chroot "$1" chown -R user:user /home/user/.cache
"""


def requirements(python: str) -> tuple[str, ...]:
    """What the platform installs for functions of this Python."""
    interpreter = _interpreter("python", python)
    return language_of(interpreter).requirements(interpreter)


def install_runtimes(root: Path, machine: str, python: str, log: Path) -> None:
    """Install all of it into the files of an image. `machine` is the output of `uname -m`."""
    _install_node(root, machine, log)
    cache = root / "var/cache/lambent/runtimes"
    cache.mkdir(parents=True, exist_ok=True)
    _prepare_node(cache, machine, log)
    _prepare_python(root, machine, python, log)
    run(["bash", "-c", SPREAD, "spread", root], log=log, deadline_s=600)


def _install_node(root: Path, machine: str, log: Path) -> None:
    kind = NODE_MACHINES[machine]
    npm = ["npm", "install", "--global", f"--prefix={root}/usr/local", "--force", "--no-audit"]
    npm += ["--no-fund", "--ignore-scripts", f"--cpu={kind}", "--os=linux"]
    run([*npm, f"node-linux-{kind}@{NODE}", "npm@10"], log=log, deadline_s=900)


def _prepare_node(cache: Path, machine: str, log: Path) -> None:
    """A small part of AWS's SDK, which is the same for every machine, where the platform looks for
    the whole SDK; the platform's own code adds its files."""
    node = _interpreter("node", f"{NODE}.0.0")
    here = os.uname()
    with patch("os.uname", return_value=os.uname_result((*here[:4], machine))):
        directory = cache / f"{preparing.runtime_name(node)}-{preparing._key(node)}"
        directory.mkdir()
        npm = ["npm", "install", f"--prefix={directory}", "--ignore-scripts", "--no-audit"]
        run([*npm, "--no-fund", *NODE_SDK], log=log, deadline_s=900)
        (done,) = preparing.prepare_runtimes([node], cache)
    if done.directory != directory:
        raise StepFailed(f"Node.js is not prepared in {directory}: {done}")


def _prepare_python(root: Path, machine: str, python: str, log: Path) -> None:
    wheels = root / "srv/wheels"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    pip += [f"--dest={wheels}", f"--python-version={python}", *wheel_platforms(machine)]
    run([*pip, *requirements(python)], log=log, deadline_s=900)
    (root / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /srv/wheels\n")
    source = root / "srv/source"
    shutil.copytree(Path(lambent.__file__).parent, source / "lambent")
    clean = [
        "env",
        "-i",
        "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root",
        "chroot",
        str(root),
    ]
    words = ["env", "PYTHONPATH=/srv/source", "/opt/lambent/bin/python", "-c", PREPARE]
    run([*clean, *words], log=log, deadline_s=1800)
    shutil.rmtree(source)


def wheel_platforms(machine: str) -> list[str]:
    """pip's arguments for wheels of another machine."""
    glibcs = ("2_17", "2_24", "2_26", "2_27", "2_28", "2_34")
    tags = [f"manylinux_{glibc}_{machine}" for glibc in glibcs]
    return [f"--platform={tag}" for tag in [*tags, f"manylinux2014_{machine}"]]


def _interpreter(kind: str, version: str) -> Interpreter:
    numbers = tuple(int(part) for part in version.split("."))
    program = shutil.which("node" if kind == "node" else "python3") or "/usr/bin/false"
    return an_interpreter(
        kind=kind, version=numbers, executable=Path(program), prefix=Path(program).parent.parent
    )
