"""What the platform knows about a language: where its interpreters are, what is prepared for them,
and how a function in it starts. A language is one file next to this one and one line in
`registry.py`; docs/adding-a-language.md shows how to add one."""

import dataclasses
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import lambent
from lambent.model.function import FunctionVersion
from lambent.node.languages.launch import LaunchSpec
from lambent.sandbox.ports import Mount

CLIENTS = Path(lambent.__file__).parent / "runtimes"
"""The files that run inside boxes, one directory per language."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An installed language interpreter."""

    kind: str
    """The name of its language: `python`, `node`, `java`, `ruby`."""
    version: tuple[int, ...]
    """Major, minor, patch."""
    line: str
    """The version in runtime identifiers: `3.12` for Python and Ruby, `20` for Node and Java."""
    executable: Path
    """The program itself, not a link or a wrapper."""
    prefix: Path
    """The directory that contains the whole installation, the executable included."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRuntime:
    """An interpreter and the directory that was prepared for it."""

    interpreter: Interpreter
    directory: Path | None
    """Shown as `/var/runtime`; None if it could not be prepared."""
    failure: str | None = None
    """The reason, in one line."""


class Missing(NamedTuple):
    """Something of a language that this host does not have, for `lambent doctor`."""

    name: str
    found: str
    fix: str


class Language(ABC):
    """One language. Its methods need no running platform."""

    name: ClassVar[str]
    folder: ClassVar[str]
    """The beginning of its runtime identifiers, of its directories, and its client's directory."""
    runtime_pattern: ClassVar[re.Pattern[str]]
    """Its runtime identifiers; the first group is the version."""
    oldest: ClassVar[tuple[int, ...]]
    """Older interpreters are not used."""
    line_parts: ClassVar[int]
    """How many components of a version make a version line."""
    landmarks: ClassVar[tuple[str, ...]] = ()
    """Paths of which an installation has at least one, for interpreters that do not name their
    prefix. A lone binary in a shared directory is not an installation."""
    step: ClassVar[str]
    """What takes long in `prepare`, in words for people."""
    needs_network: ClassVar[bool] = True
    """Whether `prepare` downloads."""
    missing: ClassVar[Missing]
    """The message where there is no interpreter."""

    # Finding

    @abstractmethod
    def places(
        self, environment: Mapping[str, str], home: Path, system: Sequence[Path]
    ) -> Iterable[Path]:
        """Every path where an interpreter usually is, whether it exists or not."""

    @abstractmethod
    def probe(self, program: Path) -> Any:
        """Ask a program what it is: `[implementation, version numbers, executable, prefix]`, with
        None as prefix if it does not know. Raises OSError, `subprocess.SubprocessError`, ValueError
        or TypeError if it is not an interpreter."""

    def is_plain(self, implementation: str) -> bool:
        """Whether packages are built for this implementation: not for PyPy or JRuby."""
        return implementation == self.name

    def executable_in(self, prefix: Path, version: tuple[int, ...], found: Path) -> Path:
        """The program to start in the installation that `found` belongs to."""
        return found

    def line(self, version: tuple[int, ...]) -> str:
        """The version line of a version."""
        return ".".join(str(part) for part in version[: self.line_parts])

    def interpreter(
        self, version: tuple[int, ...], executable: Path, prefix: Path
    ) -> "Interpreter":
        """An interpreter of this language."""
        return Interpreter(
            kind=self.name,
            version=version,
            line=self.line(version),
            executable=executable,
            prefix=prefix,
        )

    # Choosing

    def wanted(self, runtime: str) -> str | None:
        """The version line in a runtime identifier; None if it belongs to another language."""
        found = self.runtime_pattern.fullmatch(runtime)
        return None if found is None else found[1]

    @abstractmethod
    def choose(self, wanted: str, lines: Collection[str]) -> str | None:
        """The version line on this host that runs functions of `wanted`. `lines` is not empty. None
        if none does."""

    @abstractmethod
    def how_to_install(self, wanted: str) -> str:
        """How a person installs a version line."""

    # Preparing

    @abstractmethod
    def requirements(self, interpreter: Interpreter) -> tuple[str, ...]:
        """What is installed for an interpreter: other requirements get another directory."""

    @abstractmethod
    def prepare(self, interpreter: Interpreter, target: Path) -> None:
        """Fill an empty directory. Raises InstallFailed, OSError."""

    def can_prepare(self, version: tuple[int, ...]) -> bool:
        """Whether this version of the platform prepares interpreters of a version."""
        return True

    def client_files(self) -> Mapping[str, Path]:
        """Our own files that are added to what is installed, by their places there."""
        files = sorted((CLIENTS / self.folder).iterdir())
        return {file.name: file for file in files if file.is_file()}

    def obstacle(self, interpreter: Interpreter) -> str | None:
        """Why an interpreter cannot be prepared, and what to do about it; None if no reason is
        known."""
        return None

    def missing_tools(self) -> Iterator[Missing]:
        """Tools that preparing needs and this host does not have."""
        return iter(())

    # Launching

    @abstractmethod
    def launch(
        self, prepared: PreparedRuntime, function: FunctionVersion, code: Path, package: Mount
    ) -> LaunchSpec:
        """How to start a function whose package is unpacked in `code` and mounted by `package`."""


def fingerprints(files: Iterable[Path]) -> tuple[str, ...]:
    """For each file, a hash of its name and content."""
    return tuple(
        hashlib.sha256(file.name.encode() + file.read_bytes()).hexdigest() for file in files
    )
