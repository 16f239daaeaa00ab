"""What Java functions need beside a JVM: a client that is compiled when it is prepared, and
options that make a JVM fit a small box."""

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

from lambent.node.languages.interpreters import Interpreter

CLIENT = "client.jar"
MAIN_CLASS = "lambent.runtime.Main"
NO_COMPILER = (
    "a JRE cannot compile the runtime client: install the JDK, such as apt install"
    " openjdk-17-jdk-headless"
)
_TOOL_OPTIONS = "JAVA_TOOL_OPTIONS"
_HEAP_SHARE = 0.85
"""Of the function's memory, as in AWS; the rest is for classes, code, threads and the JVM."""
_INITIAL_PART = 8
"""Of the memory. The JVM itself would take a part of the host's, which is more than all of it."""


def find_compiler(java: Interpreter) -> str | None:
    """The JVM's own javac, or another on PATH; None if there is none."""
    beside = java.executable.parent
    return shutil.which("javac", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def compiler_arguments(source: Path, classes: Path) -> list[str]:
    """Compile the client below `source`, for any JVM from 8 on, whose javac is not needed."""
    options = ["-nowarn", "-Xlint:-options", "-source", "8", "-target", "8", "-encoding", "UTF-8"]
    return [*options, "-d", str(classes), *map(str, _sources(source))]


def pack(classes: Path, jar: Path) -> None:
    """Make a jar of compiled classes; not compressed, so that it is read sooner."""
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))


def fingerprint(source: Path) -> str:
    """Another one if any of the client's sources changes."""
    digest = hashlib.sha256()
    for path in _sources(source):
        digest.update(f"{path.relative_to(source)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def choose_major(wanted: int, majors: Collection[int]) -> int:
    """The JVM for classes made for `wanted`: that, the oldest newer one, or else the newest."""
    return min((major for major in majors if major >= wanted), default=max(majors))


def jvm_options(memory_mb: int, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Options of a function's JVM: AWS's, but for what the function's own variables set, which
    the JVM would overrule with these, or refuse together with them."""
    own = variables.get(_TOOL_OPTIONS, "")
    options = {
        r"-Xmx|MaxHeapSize|RAM": f"-XX:MaxHeapSize={int(memory_mb * _HEAP_SHARE)}m",
        r"-Xm[sx]|HeapSize|RAM": f"-XX:InitialHeapSize={memory_mb // _INITIAL_PART}m",
        r"-XX:\+Use\w+GC": "-XX:+UseSerialGC",
        r"Tiered|-Xint|-Xcomp": "-XX:TieredStopAtLevel=1",
        r"UsePerfData": "-XX:-UsePerfData",
        r"file\.encoding": "-Dfile.encoding=UTF-8",
        r"preferIPv": "-Djava.net.preferIPv4Stack=true",
    }
    return tuple(option for pattern, option in options.items() if not re.search(pattern, own))


def _sources(source: Path) -> list[Path]:
    return sorted(source.rglob("*.java"))
