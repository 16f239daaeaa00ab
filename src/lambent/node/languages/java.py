"""Java functions: our runtime client, compiled when it is prepared, and options that fit a JVM into
a small box."""

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.kit.installing import InstallFailed, run_step
from lambent.model.function import FunctionVersion
from lambent.node.languages.language import (
    CLIENTS,
    Interpreter,
    Language,
    Missing,
    PreparedRuntime,
)
from lambent.node.languages.launch import (
    LOG_PIPE_VARIABLE,
    RUNTIME_DIR,
    LaunchSpec,
    runtime_mounts,
    shown_program,
)
from lambent.node.languages.search import directories, glob, run_probe
from lambent.sandbox.ports import Mount

_CLIENT = "client.jar"
_MAIN_CLASS = "lambent.runtime.Main"
_SOURCES = CLIENTS / "java"
_NO_COMPILER = (
    "a JRE cannot compile the runtime client: install the JDK, such as apt install"
    " openjdk-17-jdk-headless"
)
_TOOL_OPTIONS = "JAVA_TOOL_OPTIONS"
_HEAP_SHARE = 0.85
"""Share of the function's memory, as in AWS; the rest is for classes, code, threads and the JVM."""
_INITIAL_PART = 8
"""Divisor of the memory. The JVM's default is a part of the host's memory, which may exceed the
box's."""


class Java(Language):
    """`java17` runs on the host's Java 17, the oldest newer one, or else the newest."""

    name = "java"
    folder = "java"
    runtime_pattern = re.compile(r"java(\d+)(?:\.al\d+)?")
    oldest = (8,)
    line_parts = 1
    landmarks = ("lib/modules", "jre/lib/rt.jar", "lib/rt.jar")
    step = "the runtime client, with javac"
    needs_network = False
    missing = Missing(
        "java", "no Java", "install a JDK, such as: apt-get install openjdk-17-jdk-headless"
    )

    def places(
        self, environment: Mapping[str, str], home: Path, system: Sequence[Path]
    ) -> Iterator[Path]:
        """JAVA_HOME first, then the distribution's, then those of SDKMAN."""
        sdkman = Path(environment.get("SDKMAN_DIR") or home / ".sdkman")
        if os.path.isabs(java_home := environment.get("JAVA_HOME", "")):
            yield from glob(Path(java_home), "bin/java")
        for directory in directories(environment, system):
            yield from glob(directory, "java")
            yield from glob(directory.parent, "lib/jvm/*/bin/java")
        yield from glob(sdkman, "candidates/java/*/bin/java")

    def probe(self, program: Path) -> Any:
        """Read from a JVM's list of properties."""
        settings = run_probe(program, ("-XshowSettings:properties", "-version")).stderr.decode()
        found = re.search(r"^ *java\.version = (?:1\.)?(\d+(?:[._]\d+)*)", settings, re.MULTILINE)
        if found is None:
            raise ValueError("no JVM")
        return [self.name, re.split(r"[._]", found[1]), str(program), None]

    def choose(self, wanted: str, lines: Collection[str]) -> str:
        """Newer JVMs run classes for older ones."""
        newer = [line for line in lines if int(line) >= int(wanted)]
        return min(newer, key=int) if newer else max(lines, key=int)

    def how_to_install(self, wanted: str) -> str:
        """From the distribution."""
        return f"install Java (apt install openjdk-{wanted}-jdk-headless)"

    def requirements(self, interpreter: Interpreter) -> tuple[str, ...]:
        """The client's sources."""
        digest = hashlib.sha256()
        for path in _sources():
            digest.update(f"{path.relative_to(_SOURCES)}\n".encode() + path.read_bytes())
        return (digest.hexdigest(),)

    def obstacle(self, interpreter: Interpreter) -> str | None:
        """A JRE on a host without javac."""
        return None if _find_compiler(interpreter) is not None else _NO_COMPILER

    def prepare(self, interpreter: Interpreter, target: Path) -> None:
        """Compiled for any JVM from 8 on, with any available javac."""
        compiler = _find_compiler(interpreter)
        if compiler is None:
            raise InstallFailed(_NO_COMPILER)
        classes = target / "classes"
        classes.mkdir()
        run_step("javac", [compiler, *_compiler_arguments(classes)])
        _pack(classes, target / _CLIENT)
        shutil.rmtree(classes)

    def launch(
        self, prepared: PreparedRuntime, function: FunctionVersion, code: Path, package: Mount
    ) -> LaunchSpec:
        """The JVM's options depend on the function's memory and variables."""
        assert prepared.directory is not None
        interpreter = prepared.interpreter
        options = jvm_options(function.memory_mb, function.environment or {})
        client = ("-cp", f"{RUNTIME_DIR}/{_CLIENT}", _MAIN_CLASS)
        return LaunchSpec(
            mounts=(package,),
            runtime_mounts=runtime_mounts(prepared.directory, interpreter.prefix),
            argv=(shown_program(interpreter.executable, interpreter.prefix), *options, *client),
            log_pipe_variable=LOG_PIPE_VARIABLE,
        )


def _find_compiler(java: Interpreter) -> str | None:
    """The JVM's own javac, or another on PATH; None if there is none."""
    beside = java.executable.parent
    return shutil.which("javac", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def _compiler_arguments(classes: Path) -> list[str]:
    options = ["-nowarn", "-Xlint:-options", "-source", "8", "-target", "8", "-encoding", "UTF-8"]
    return [*options, "-d", str(classes), *map(str, _sources())]


def _pack(classes: Path, jar: Path) -> None:
    """Make a jar of compiled classes; uncompressed, because that is faster to read."""
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))


def jvm_options(memory_mb: int, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Options of a function's JVM: as in AWS, except those that the function's own variables set.
    The JVM would override the variables with these, or refuse the combination."""
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


def _sources() -> list[Path]:
    return sorted(_SOURCES.rglob("*.java"))
